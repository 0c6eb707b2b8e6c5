"""How a pipeline of LMDeploy gives its GPU back and takes it again in the same process: one class for each of
its two engines.

TurboMind 0.18 has no working sleep: its engine is taken apart, and built again from the same Python objects.
The PyTorch engine has one that copies weights to pageable memory and back; here they never change, so they
are copied once, to locked memory.

Every name of LMDeploy that is touched here is checked by tests/engines/test_lmdeploy_sleep_contract.py.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from launcher.engines.host_copy import has_room, host_copy, size_bytes

if TYPE_CHECKING:
    from lmdeploy import Pipeline

_ALL_BLOCKS = 1 << 30
_BOUND_AT_RUNTIME = ("_ctx", "_root_handles")
"""What LMDeploy's source models hold of the C++ engine."""


class Sleeper(Protocol):
    """Puts one pipeline to sleep and wakes it. Nobody is being answered meanwhile."""

    sleeps: bool

    def keep(self, wait_for_turn: Callable[[], object]) -> None:
        """Makes the host copy of the weights, in turns; ends before the first `sleep`."""
        ...

    async def sleep(self) -> None:
        """Gives the GPU back, but for the CUDA context and what libraries keep."""
        ...

    async def wake(self) -> None:
        """Takes the GPU again."""
        ...


class TurbomindSleeper:
    """Takes TurboMind apart and builds it again: weights, cache and C++ engine; tokenizer, templates and
    pipeline stay.

    Where there can be no host copy, the weights are read from the checkpoint's files again, which the page
    cache may still hold.

    Args:
        pipe: a pipeline on TurboMind.
        cache_ratio: the cache's share of what is free once the weights are there, as the GPU is now.
    """

    sleeps = True

    def __init__(self, pipe: Pipeline, model_path: str, cache_ratio: Callable[[], float]) -> None:
        self._pipe = pipe
        self._model_path = model_path
        self._cache_ratio = cache_ratio
        self._weights: Mapping[str, Tensor] | None = None

    @property
    def _engine(self) -> Any:
        return self._pipe.async_engine.engine

    def keep(self, wait_for_turn: Callable[[], object]) -> None:
        """Copies the checkpoint, as its files have it."""
        from lmdeploy.turbomind.checkpoint import create_checkpoint

        mappings = getattr(self._engine.source_model, "_loader_mappings", [])
        tensors: dict[str, Tensor] = create_checkpoint(self._model_path, mappings=mappings)._data
        if not has_room(size_bytes(tensors.values())):
            return
        try:
            self._weights = host_copy(tensors.items(), wait_for_turn)
        except RuntimeError as error:
            print(f"No host copy of the weights: {error}")  # noqa: T201 - to the model's log

    async def sleep(self) -> None:
        """Lets go of everything that keeps the C++ engine alive; the last one to let go frees it."""
        await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        sessions = self._pipe.session_mgr
        sessions.request_handle_pool.clear()
        sessions.request_handle_pool = None
        self._engine.model_comm = None
        source = self._engine.source_model
        for part in (source, getattr(source, "text_model", None), getattr(source, "vision_model", None)):
            for name in _BOUND_AT_RUNTIME:
                if name in getattr(part, "__dict__", ()):
                    setattr(part, name, None)
        torch.cuda.empty_cache()

    async def wake(self) -> None:
        """What LMDeploy's ``TurboMind.__init__`` does, but for the tokenizer."""
        await asyncio.to_thread(self._build)

    def _build(self) -> None:
        engine = self._engine
        engine.engine_config.cache_max_entry_count = self._cache_ratio()
        engine.model_comm, loader = engine._from_hf(
            model_path=self._model_path, engine_config=engine.engine_config, trust_remote_code=False
        )
        engine.source_model = loader.model
        with self._weights_from_host(), torch.cuda.device(engine.devices[0]):
            loader.export()
        engine._process_weights()
        engine._create_engine()
        size = self._pipe.async_engine.backend_config.max_batch_size
        self._pipe.session_mgr.build_request_handle_pool(engine, size)

    @contextmanager
    def _weights_from_host(self) -> Iterator[None]:
        """Has LMDeploy's loader read the host copy, where there is one, instead of opening files."""
        from lmdeploy.turbomind import model_loader

        weights = self._weights
        if weights is None:
            yield
            return
        from_files = model_loader.create_checkpoint
        model_loader.create_checkpoint = lambda *_, **__: checkpoint_of(weights)
        try:
            yield
        finally:
            model_loader.create_checkpoint = from_files


def checkpoint_of(weights: Mapping[str, Tensor]) -> Any:
    """The host copy as LMDeploy's ``Checkpoint``; reading a tensor copies it to the GPU."""
    from lmdeploy.turbomind.checkpoint import Checkpoint

    class HostCheckpoint(Checkpoint):  # type: ignore[misc]  # LMDeploy is untyped
        def get(self, key: str, index: Any = None) -> Tensor:
            return (weights[key] if index is None else weights[key][index]).cuda()

        def pop(self, key: str, index: Any = None) -> Tensor:
            return self.get(key, index)

        def has(self, key: str) -> bool:
            return key in weights

        def keys(self) -> Iterator[str]:
            return iter(weights)

    return HostCheckpoint()


@contextmanager
def gemm_records() -> Iterator[None]:
    """While a pipeline is built within: TurboMind keeps what its warm-up measured, and measures nothing when
    built again later.

    Its measuring leaks a buffer as large as the GPU's L2 cache each time (``gemm::CacheFlushing``). The
    records live in memory.
    """
    if sys.platform != "linux":
        yield
        return
    path = f"/proc/self/fd/{os.memfd_create('gemm records')}"
    os.environ["TM_GEMM_EXPORT"] = path
    try:
        yield
    finally:
        del os.environ["TM_GEMM_EXPORT"]
    os.environ["TM_GEMM_IMPORT"] = path


class PytorchSleeper:
    """LMDeploy's own sleep and wake-up, but with the weights already on the host, with the prefix cache
    forgotten, with weights that share their memory sharing it again, and without the warm-up.

    LMDeploy 0.18 frees the KV cache in its sleep and keeps the index of what was in it. Where the output head
    is the embedding table, both are parameters of the same memory (``BaseLinear.register_all_parameters``),
    and its wake-up makes two of it: 1 GB of Qwen3.5-2B. Its warm-up captures CUDA graphs for every size of
    batch, 0.3 s of a waking; without, each is captured by the first step that needs it
    (``CUDAGraphRunner._forward_full_graph``), 10 to 50 ms of a crowd's first answers
    (``tests/gpu/wake_parts.py``).
    """

    def __init__(self, pipe: Pipeline) -> None:
        self._pipe = pipe
        self._weights: Mapping[str, Tensor] | None = None
        self._shared = _shared(self._parameters())
        self.sleeps = has_room(size_bytes(parameter for _, parameter in self._own()))

    def _parameters(self) -> dict[str, Tensor]:
        """The model's, by name."""
        model = self._pipe.async_engine.engine.executor.model_agent.patched_model.get_model()
        return dict(model.named_parameters())

    def _own(self) -> list[tuple[str, Tensor]]:
        """Those with memory of their own."""
        return [each for each in self._parameters().items() if each[0] not in self._shared]

    def keep(self, wait_for_turn: Callable[[], object]) -> None:
        """Copies the parameters as the engine has them; to memory that is not page-locked where the driver
        locks none, as from there too they come back."""
        if not self.sleeps:
            return
        with torch.inference_mode():
            tensors = [(name, parameter.data) for name, parameter in self._own()]
            try:
                self._weights = host_copy(tensors, wait_for_turn)
            except RuntimeError as error:
                print(f"The host copy of the weights is not page-locked: {error}")  # noqa: T201 - to the log
                self._weights = host_copy(tensors, wait_for_turn, locked=False)

    async def sleep(self) -> None:
        """Frees weights, cache and graphs; there is a host copy, as ``sleeps`` says."""
        await self._on_its_loop(self._fall_asleep())

    async def _fall_asleep(self) -> None:
        assert self._weights is not None
        with torch.inference_mode():
            for name, parameter in self._parameters().items():
                nothing = torch.empty(0, dtype=parameter.dtype)
                parameter.data = nothing if name in self._shared else self._weights[name]
        await self._pipe.async_engine.sleep(1)
        self._pipe.async_engine.engine.scheduler.block_trie.evict(_ALL_BLOCKS)

    async def wake(self) -> None:
        """Copies the weights back, and makes the cache anew."""
        await self._on_its_loop(self._wake_up())

    async def _wake_up(self) -> None:
        from lmdeploy.pytorch import envs

        before, envs.skip_warmup = envs.skip_warmup, True
        try:
            self._pipe.async_engine.wakeup()
        finally:
            envs.skip_warmup = before
        with torch.inference_mode():
            parameters = self._parameters()
            for name, owner in self._shared.items():
                parameters[name].data = parameters[owner].data

    async def _on_its_loop(self, work: Any) -> None:
        """LMDeploy's events belong to the pipeline's own loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._pipe.internal_thread.loop))


def _shared(parameters: Mapping[str, Tensor]) -> dict[str, str]:
    """Those that are the memory of an earlier one, under another name -> that one's name."""
    owners: dict[tuple[int, torch.Size], str] = {}
    return {
        name: owner
        for name, parameter in parameters.items()
        if (owner := owners.setdefault((parameter.data_ptr(), parameter.shape), name)) != name
    }
