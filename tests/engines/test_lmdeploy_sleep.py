"""How LMDeploy's engines are put to sleep and woken, on the CPU.

The PyTorch engine's model, weights, scheduler and prefix cache are LMDeploy's own. What stands in is its
model agent, which here frees and takes again what LMDeploy's frees and takes (weights, KV cache), and says
what it was asked. TurboMind cannot be imported without a GPU: its pipeline is a record of what is asked of
it, over weights that LMDeploy's own checkpoint reader has read.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from launcher import models
from launcher.engines import host_copy
from tests.models.cpu_comparisons import in_32_bits
from tests.models.tiny import write_internlm2
from tests.models.tiny_generic import write_generic

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    import lmdeploy.pytorch.nn  # noqa: F401 - before its CUDA backend is stood in for
    from lmdeploy.pipeline import _EventLoopThread
    from lmdeploy.pytorch import envs
    from lmdeploy.turbomind.checkpoint import create_checkpoint

    from launcher.engines import lmdeploy_sleep
    from launcher.engines.lmdeploy_sleep import PytorchSleeper, TurbomindSleeper, gemm_records
    from tests.models.lmdeploy_on_cpu import ScheduledCpuEngine

PROMPT = list(range(3, 23))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models.register()
    return write_internlm2(tmp_path_factory.mktemp("checkpoint") / "model", torch_dtype="float32")


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What cannot be had without a GPU is page-locked memory: ordinary memory stands in, and the number of
    bytes asked for is kept."""
    asked: list[str] = []
    real = torch.empty

    def empty(*shape: Any, pin_memory: bool = False, **rest: Any) -> Tensor:
        if pin_memory:
            asked.append(str(shape))
        return real(*shape, **rest)

    monkeypatch.setattr(torch, "empty", empty)
    return asked


class PytorchPipe:
    """As much of a pipeline on the PyTorch engine as is touched, over the real model and scheduler."""

    def __init__(self, folder: Path) -> None:
        self.cpu = ScheduledCpuEngine(folder)
        self.asked: list[str] = []
        self.internal_thread = _EventLoopThread(daemon=True)
        agent = SimpleNamespace(patched_model=SimpleNamespace(get_model=lambda: self.cpu.model))
        engine = SimpleNamespace(executor=SimpleNamespace(model_agent=agent), scheduler=self.cpu._scheduler)
        self.async_engine = SimpleNamespace(engine=engine, sleep=self._sleep, wakeup=self._wakeup)

    async def _sleep(self, level: int) -> None:
        """LMDeploy's level 1 moves the weights to the host and drops the KV cache."""
        assert asyncio.get_running_loop() is self.internal_thread.loop
        self.asked.append(f"sleep {level}")
        self.cpu.model.to("cpu")
        for caches in self.cpu.caches:
            for cache in caches:
                cache.fill_(float("nan"))

    def _wakeup(self) -> None:
        """LMDeploy moves the weights back, makes an empty KV cache, and warms up unless that is switched
        off."""
        self.asked.append("wakeup" if envs.skip_warmup else "wakeup and warm-up")
        with torch.inference_mode():
            for parameter in self.cpu.model.parameters():
                parameter.data = parameter.data.clone()
        for caches in self.cpu.caches:
            for cache in caches:
                cache.zero_()


@contextmanager
def piped(folder: Path) -> Iterator[PytorchPipe]:
    pipe = PytorchPipe(folder)
    yield pipe
    pipe.internal_thread.close()


@pytest.fixture
def pipe(folder: Path) -> Iterator[PytorchPipe]:
    with piped(folder) as pipe:
        yield pipe


def ask(pipe: PytorchPipe) -> Any:
    (answer,) = pipe.cpu.ask((PROMPT, []), new_tokens=4)
    return answer


def test_a_model_answers_the_same_after_each_sleep_and_reads_no_cache_that_is_gone(pipe: PytorchPipe) -> None:
    first, again = ask(pipe), ask(pipe)
    assert again.tokens == first.tokens
    assert again.cached_tokens > 0, "the prefix cache is at work"
    sleeper = PytorchSleeper(pipe)  # type: ignore[arg-type]
    assert sleeper.sleeps
    sleeper.keep(lambda: None)
    for _ in range(3):
        asyncio.run(sleeper.sleep())
        asyncio.run(sleeper.wake())
        woken = ask(pipe)
        assert woken.cached_tokens == 0
        assert woken.tokens == first.tokens
        assert torch.equal(torch.cat(woken.logits), torch.cat(first.logits))
    assert pipe.asked == ["sleep 1", "wakeup"] * 3
    assert not envs.skip_warmup, "a first load warms up"


def test_where_no_memory_can_be_locked_the_weights_are_kept_in_ordinary_memory(
    pipe: PytorchPipe, capsys: pytest.CaptureFixture[str]
) -> None:
    """This machine has no driver that locks memory, so PyTorch refuses to."""
    with pytest.raises(RuntimeError):
        torch.empty(1, pin_memory=True)
    sleeper = PytorchSleeper(pipe)  # type: ignore[arg-type]
    sleeper.keep(lambda: None)
    assert "is not page-locked" in capsys.readouterr().out
    assert sleeper._weights is not None
    parameters = dict(pipe.cpu.model.named_parameters())
    assert sleeper._weights.keys() == parameters.keys()
    for name, kept in sleeper._weights.items():
        assert torch.equal(kept, parameters[name])
        assert kept.data_ptr() != parameters[name].data_ptr()


def test_memory_is_locked_where_the_driver_does(pipe: PytorchPipe, unlocked: list[str]) -> None:
    PytorchSleeper(pipe).keep(lambda: None)  # type: ignore[arg-type]
    assert len(unlocked) == len(list(pipe.cpu.model.parameters()))


def test_asleep_a_model_uses_its_copy_and_holds_no_weights_of_its_own(pipe: PytorchPipe) -> None:
    sleeper = PytorchSleeper(pipe)  # type: ignore[arg-type]
    sleeper.keep(lambda: None)
    asyncio.run(sleeper.sleep())
    assert sleeper._weights is not None
    for name, parameter in pipe.cpu.model.named_parameters():
        assert parameter.data.data_ptr() == sleeper._weights[name].data_ptr()


def held_bytes(model: torch.nn.Module) -> int:
    """By the parameters together, memory that several share counted once."""
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage() for each in model.parameters()}
    return sum(storage.nbytes() for storage in storages.values())


def test_an_embedding_table_that_is_the_output_head_too_is_one_again(tmp_path: Path) -> None:
    """To LMDeploy they are two parameters, of one memory until it moves them."""
    folder = write_generic(tmp_path / "tied", "Qwen3ForCausalLM", tie_word_embeddings=True)
    with piped(in_32_bits(folder)) as pipe:
        model, first = pipe.cpu.model, ask(pipe)
        before_bytes, names = held_bytes(model), dict(model.named_parameters())
        assert before_bytes < host_copy.size_bytes(names.values()), "the table is there under two names"
        sleeper = PytorchSleeper(pipe)  # type: ignore[arg-type]
        sleeper.keep(lambda: None)
        assert sleeper._weights is not None
        assert host_copy.size_bytes(sleeper._weights.values()) == before_bytes
        for _ in range(2):
            asyncio.run(sleeper.sleep())
            asyncio.run(sleeper.wake())
            assert held_bytes(model) == before_bytes
            woken = ask(pipe)
            assert woken.tokens == first.tokens
            assert torch.equal(torch.cat(woken.logits), torch.cat(first.logits))


@pytest.mark.parametrize("fits", [True, False])
def test_a_model_sleeps_only_where_ram_can_hold_its_copy(
    pipe: PytorchPipe, monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    size = host_copy.size_bytes(pipe.cpu.model.parameters())
    free = size + host_copy.SPARE_RAM_BYTES - (0 if fits else 1)
    monkeypatch.setattr(host_copy, "read_ram", lambda: (free, free))
    sleeper = PytorchSleeper(pipe)  # type: ignore[arg-type]
    assert sleeper.sleeps is fits
    sleeper.keep(lambda: None)
    assert (sleeper._weights is not None) is fits


def test_copies_wait_for_their_turn_tensor_by_tensor() -> None:
    turns = threading.Semaphore(0)
    copied: list[str] = []

    def tensors() -> Iterator[tuple[str, Tensor]]:
        for number in range(3):
            copied.append(f"t{number}")
            yield f"t{number}", torch.full((2,), float(number))

    made: dict[str, Tensor] = {}
    thread = threading.Thread(
        target=lambda: made.update(host_copy.host_copy(tensors(), turns.acquire, locked=False))
    )
    thread.start()
    turns.release(2)
    turns.release()
    thread.join(30)
    assert copied == ["t0", "t1", "t2"]
    assert [tensor.tolist() for tensor in made.values()] == [[0, 0], [1, 1], [2, 2]]


class CppEngine:
    """Alive for as long as somebody holds it."""


class Turbomind:
    """A record of what is asked of LMDeploy's TurboMind, in order; its C++ engine is an object."""

    devices = (-1,)  # PyTorch's "no device", which it changes to without a GPU

    def __init__(self, folder: Path, steps: list[str]) -> None:
        self.steps = steps
        self.folder = folder
        self.engine_config = SimpleNamespace(cache_max_entry_count=0.1)
        self.read: dict[str, Tensor] = {}
        self.source_model: Any = None
        self.model_comm: Any = None
        self.bind()

    def bind(self) -> None:
        self.model_comm = CppEngine()
        text = SimpleNamespace(_ctx=self.model_comm, _root_handles=[self.model_comm], name="text")
        self.source_model = SimpleNamespace(
            _ctx=self.model_comm, text_model=text, vision_model=None, _loader_mappings=[]
        )

    def _from_hf(self, model_path: str, engine_config: Any, trust_remote_code: bool) -> Any:
        assert not trust_remote_code
        self.steps.append(f"from_hf at {engine_config.cache_max_entry_count}")
        self.bind()
        return self.model_comm, SimpleNamespace(model=self.source_model, export=self._export)

    def _export(self) -> None:
        self.steps.append("export")
        opened = sys.modules["lmdeploy.turbomind.model_loader"].create_checkpoint(
            str(self.folder), mappings=[]
        )
        self.read = {key: opened.get(key) for key in opened.keys()}  # noqa: SIM118 - LMDeploy's, no mapping

    def _process_weights(self) -> None:
        self.steps.append("process_weights")

    def _create_engine(self) -> None:
        self.steps.append("create_engine")


class TurbomindPipe:
    def __init__(self, folder: Path) -> None:
        self.steps: list[str] = []
        self.engine = Turbomind(folder, self.steps)
        pool = SimpleNamespace(clear=lambda: self.steps.append("clear the pool"))
        self.session_mgr = SimpleNamespace(
            request_handle_pool=pool, build_request_handle_pool=self._build_pool
        )
        self.async_engine = SimpleNamespace(
            engine=self.engine, backend_config=SimpleNamespace(max_batch_size=7)
        )

    def _build_pool(self, engine: Any, size: int) -> None:
        assert engine is self.engine
        self.steps.append(f"a pool of {size}")


@contextmanager
def loader_module() -> Iterator[ModuleType]:
    """LMDeploy's ``turbomind.model_loader`` cannot be imported without a GPU; the one name of it that is
    replaced is its own ``create_checkpoint``."""
    name = "lmdeploy.turbomind.model_loader"
    module = ModuleType(name)
    module.create_checkpoint = create_checkpoint  # type: ignore[attr-defined]
    package = sys.modules["lmdeploy.turbomind"]
    sys.modules[name] = module
    package.model_loader = module  # type: ignore[attr-defined]
    try:
        yield module
    finally:
        del sys.modules[name]
        del package.model_loader  # type: ignore[attr-defined]


BUILT = ["from_hf at 0.4", "export", "process_weights", "create_engine", "a pool of 7"]


@pytest.mark.parametrize("copied", [True, False], ids=["from the host copy", "from files"])
def test_turbomind_is_taken_apart_and_built_again_with_the_weights_that_it_had(
    folder: Path, copied: bool, unlocked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = TurbomindPipe(folder)
    sleeper = TurbomindSleeper(pipe, str(folder), lambda: 0.4)  # type: ignore[arg-type]
    monkeypatch.setattr(Tensor, "cuda", lambda self: self)
    if copied:
        sleeper.keep(lambda: None)
    held = weakref.ref(pipe.engine.model_comm)
    asyncio.run(sleeper.sleep())
    gc.collect()
    assert held() is None, "something still holds the C++ engine"
    assert pipe.session_mgr.request_handle_pool is None
    with loader_module() as module:
        asyncio.run(sleeper.wake())
        assert module.create_checkpoint is create_checkpoint
    assert pipe.steps == ["clear the pool", *BUILT]
    real = create_checkpoint(str(folder))
    assert pipe.engine.read.keys() == set(real.keys())
    for key, tensor in pipe.engine.read.items():
        assert torch.equal(tensor, real.get(key))
    assert len(unlocked) == (len(real._data) if copied else 0)


@pytest.mark.parametrize("obstacle", ["no room in RAM", "nothing can be locked"])
def test_turbomind_reads_its_files_where_there_can_be_no_locked_copy(
    folder: Path, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle == "no room in RAM":
        monkeypatch.setattr(host_copy, "read_ram", lambda: (1, 1))
    sleeper = TurbomindSleeper(TurbomindPipe(folder), str(folder), lambda: 0.4)  # type: ignore[arg-type]
    sleeper.keep(lambda: None)
    assert sleeper._weights is None
    assert sleeper.sleeps


def test_a_build_that_fails_leaves_lmdeploys_loader_as_it_was(folder: Path, unlocked: list[str]) -> None:
    pipe = TurbomindPipe(folder)
    sleeper = TurbomindSleeper(pipe, str(folder), lambda: 0.4)  # type: ignore[arg-type]
    sleeper.keep(lambda: None)
    pipe.engine._export = lambda: 1 / 0  # type: ignore[assignment,method-assign]
    with loader_module() as module:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(sleeper.wake())
        assert module.create_checkpoint is create_checkpoint


def test_a_part_of_a_tensor_is_read_from_the_copy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "cuda", lambda self: self)
    copy = lmdeploy_sleep.checkpoint_of({"w": torch.arange(6).reshape(3, 2)})
    assert copy.get("w", 1).tolist() == [2, 3]
    assert copy.pop("w").shape == (3, 2)
    assert copy.get("w", slice(0, 2)).shape == (2, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="memory files are Linux's")
def test_what_the_first_warm_up_measured_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TM_GEMM_EXPORT", raising=False)
    monkeypatch.setenv("TM_GEMM_IMPORT", "")
    with gemm_records():
        Path(os.environ["TM_GEMM_EXPORT"]).write_text("measured")
    assert "TM_GEMM_EXPORT" not in os.environ
    assert Path(os.environ["TM_GEMM_IMPORT"]).read_text() == "measured"
