"""The LMDeploy engine, TurboMind and PyTorch: one pipeline, fitted to the memory plan, streaming to any
number of askers.

Built through ``lmdeploy.pipeline``; requests run on the pipeline's own event loop, since its queues belong to
that loop, and their pieces are handed over to the worker's. Settings and wording are beside this file
(``lmdeploy_settings``, ``lmdeploy_failures``), and so are how LMDeploy is imported (``lmdeploy_import``),
what happens to one request (``lmdeploy_request``), and how the GPU is given back and taken again
(``lmdeploy_sleep``).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from PIL import Image

from launcher import families
from launcher.checkpoints import CONFIG, CheckpointFacts, facts_from_config
from launcher.devices import held_bytes
from launcher.engine_costs import COSTS
from launcher.engines.base import EngineFacts, EngineSpec, Progress, is_out_of_memory, log_place
from launcher.engines.lmdeploy_import import import_late, lmdeploy_pipeline, set_environment
from launcher.errors import DeviceError, EngineError, OutOfMemory
from launcher.families import PictureBudget
from launcher.memory import GIB, MemoryPlan
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message

if TYPE_CHECKING:
    from lmdeploy import Pipeline

    from launcher.engines.lmdeploy_request import Request
    from launcher.engines.lmdeploy_sleep import Sleeper

LOAD_LIMIT_S = {"turbomind": 240.0, "pytorch": 840.0}
"""From the first byte to the first answer. Measured 5-15 s, and 35-60 s while kernels are compiled, Qwen3.5's
110 s, on a server's processor; a cold network disk at 50 MB/s adds 90 s. What takes longer is TurboMind's
warm-up spinning, and the process is lost."""

CLOSE_LIMIT_S = 4.0
"""Less than the worker's own patience; closing takes 0.3 s."""

MAX_CACHE_RATIO = 0.95
"""LMDeploy takes a share below 1; the rest keeps the activations alive on a card that has nothing else
free."""


class LmdeployEngine:
    """See ``launcher.engines.base.Engine``. ``spec.engine`` is "turbomind" or "pytorch"; the plan is
    required."""

    def __init__(self, spec: EngineSpec) -> None:
        if spec.plan is None:
            raise EngineError(
                "{engine} needs a memory plan; {model} has none.", engine=spec.engine, model=spec.preset.name
            )
        self._spec = spec
        self._plan: MemoryPlan = spec.plan
        self._pipe: Pipeline | None = None
        self._requests: Callable[[ChatRequest], Request] | None = None
        self._sleeper: Sleeper | None = None
        self._keeping: asyncio.Future[None] | None = None
        self._tokenizer: Any = None
        self._answers = 0
        self._idle = Event()
        self._idle.set()

    async def prepare(self) -> None:
        """Imports LMDeploy with all that a pipeline needs, and reads the tokenizer, which stays in this
        process.

        Raises:
            MissingPart: LMDeploy is not installed, or not whole.
        """
        await _in_thread(self._import)

    def _import(self) -> None:
        set_environment()
        lmdeploy_pipeline()
        from transformers import AutoTokenizer

        from launcher import models

        models.register()
        import_late(self._spec.engine)
        self._plug_in()
        self._tokenizer = AutoTokenizer.from_pretrained(self._spec.folder, trust_remote_code=False)

    async def load(self, progress: Progress) -> EngineFacts:
        """Builds the pipeline and asks it once with the largest picture, so that what later requests need is
        taken by then.

        A pipeline that sleeps is woken.

        Raises:
            CheckpointError: the folder is not what LMDeploy can run.
            DeviceError: there is no GPU.
            OutOfMemory: less of the GPU is free than the plan needs.
            EngineError: loading failed, or did not end in time.
            MissingPart: LMDeploy is not installed, or not whole.
        """
        started = time.perf_counter()
        limit_s = LOAD_LIMIT_S[self._spec.engine]
        try:
            await asyncio.wait_for(self._load(progress), limit_s)
        except asyncio.TimeoutError as error:
            raise EngineError(
                "{model} did not load within {limit_s:.0f} s.",
                hint="Its log {log} says how far it came. Lower memory.session_tokens or free GPU memory,"
                " then try again.",
                log=log_place(),
                model=self._spec.preset.name,
                limit_s=limit_s,
            ) from error
        return EngineFacts(
            engine=self._spec.engine,
            device=self._spec.device,
            session_tokens=self._plan.session_tokens,
            max_tiles=self._plan.max_tiles or None,
            load_s=time.perf_counter() - started,
            sleeps=self._sleeper is not None and self._sleeper.sleeps,
        )

    async def _load(self, progress: Progress) -> None:
        progress("weights", 0.1)
        if self._sleeper is not None:
            self._check_room(self._free_bytes(), self._asleep_bytes())
            await self._sleeper.wake()
            return
        await _in_thread(self._build)
        # Where nothing is compiled yet, most of the PyTorch engine's time is still to come.
        progress("first answer", 0.9 if self._plan.engine == "turbomind" else 0.5)
        await self._rehearse()
        if self._sleeper is not None:
            self._keeping = asyncio.ensure_future(_in_thread(self._sleeper.keep, self._idle.wait))

    def _build(self) -> None:
        """Runs in a thread of its own: weights, warm-up."""
        from launcher.engines import lmdeploy_settings as settings
        from launcher.engines.lmdeploy_request import RequestMaker
        from launcher.engines.lmdeploy_sleep import PytorchSleeper, TurbomindSleeper, gemm_records

        facts, turbomind = self._facts(), self._plan.engine == "turbomind"
        family = families.of(facts.config, self._spec.folder / CONFIG)
        form = family.prompt_form(facts.config, self._tokenizer)
        free_bytes = self._free_bytes()
        self._check_room(free_bytes, self._plan.part_bytes("cuda_context"))
        config = (
            settings.turbomind_config(self._plan, self._cache_ratio(free_bytes, first=True))
            if turbomind
            else settings.pytorch_config(self._plan)
        )
        with gemm_records() if turbomind else nullcontext():
            pipe = lmdeploy_pipeline()(
                str(self._spec.folder),
                backend_config=config,
                chat_template_config=settings.chat_template_config(form.turn_end),
                log_level="WARNING",
                trust_remote_code=False,
            )
        self._pipe = pipe
        self._requests = RequestMaker(pipe, self._plan, self._spec.folder, self._spec.preset.chat.stop)
        if not self._spec.makes_room:
            return  # nobody will ask it to sleep
        self._sleeper = (
            TurbomindSleeper(pipe, str(self._spec.folder), self._cache_ratio_asleep)
            if turbomind
            else PytorchSleeper(pipe)
        )

    def _facts(self) -> CheckpointFacts:
        return facts_from_config(self._spec.folder)

    def _plug_in(self) -> None:
        """Gives LMDeploy what it lacks for the checkpoint's family."""
        if plug_in := families.of(self._facts().config, self._spec.folder / CONFIG).plug_in:
            families.code(plug_in)()

    def _pictures(self) -> PictureBudget | None:
        """The family's budget as the plan has lowered it; None for a text model."""
        if self._plan.picture is None:
            return None
        own = families.model_sizes(self._facts().config, file=self._spec.folder / CONFIG).pictures
        return own.limited(self._plan.picture.limit) if own else None

    def _free_bytes(self) -> int:
        """What is free on the card once CUDA has started here. Raises DeviceError where there is no GPU."""
        import torch

        if not torch.cuda.is_available():
            raise DeviceError(
                "PyTorch finds no NVIDIA GPU that it can use here.",
                hint="Check with: nvidia-smi. To run on the CPU, set engine: transformers in the preset.",
            )
        free_bytes, _ = torch.cuda.mem_get_info()
        return int(free_bytes)

    def _check_room(self, free_bytes: int, already_bytes: int) -> None:
        """Raises OutOfMemory where the plan, less what this process holds of it already, no longer fits what
        is free."""
        needed_bytes = self._plan.peak_bytes - already_bytes
        if free_bytes < needed_bytes:
            raise OutOfMemory(
                "The GPU has {free:.2f} GiB free; the plan needs {needed:.2f} GiB.",
                hint="See who holds GPU memory with: nvidia-smi",
                free=free_bytes / GIB,
                needed=needed_bytes / GIB,
            )

    def _cache_ratio(self, free_bytes: int, *, first: bool) -> float:
        """The planned cache as a share of what will be free on this card when TurboMind makes it.

        Args:
            free_bytes: free now.
            first: this process has not built it before.
        """
        plan, costs = self._plan, COSTS["turbomind"]
        weight_bytes = sum(plan.part_bytes(part) for part in ("language_model", "vision_tower", "projector"))
        coming_bytes = weight_bytes + costs.own_bytes + (costs.code_bytes if first else 0)
        cache_bytes = plan.part_bytes("kv_cache")
        return min(MAX_CACHE_RATIO, cache_bytes / max(cache_bytes, free_bytes - coming_bytes))

    def _cache_ratio_asleep(self) -> float:
        return self._cache_ratio(self._free_bytes(), first=False)

    def _asleep_bytes(self) -> int:
        """What it holds asleep: as the driver tells now, which is what the launcher has counted, too, or as
        planned."""
        told_bytes = held_bytes(os.getpid())
        return self._plan.asleep_bytes if told_bytes is None else told_bytes

    async def _rehearse(self) -> None:
        """One token of an answer about the largest picture that the plan admits."""
        with TemporaryDirectory(prefix="launcher-") as folder:
            budget = self._pictures()
            pictures = (_blank_picture(budget.largest_px, Path(folder)),) if budget else ()
            request = ChatRequest((Message("user", "Hello", pictures),), GenerationOptions(max_new_tokens=1))
            try:
                async for _ in self._begin(request).pieces():
                    pass
            except EngineError as error:
                if (out_of_memory := self._ran_out(error)) is not None:
                    raise out_of_memory from error
                raise

    def _ran_out(self, error: EngineError) -> OutOfMemory | None:
        """The rehearsal's failure, if it is one of memory. LMDeploy says only that its engine stopped; what
        the engine's main loop died of says more."""
        from launcher.engines.lmdeploy_failures import is_out_of_room

        loop_task: Any = getattr(self._pipe.async_engine.engine, "_loop_main", None) if self._pipe else None
        died = loop_task is not None and loop_task.done() and not loop_task.cancelled()
        reason: BaseException | None = loop_task.exception() if died else None
        if not is_out_of_room(error) and not is_out_of_memory(reason):
            return None
        return OutOfMemory(
            "{model} ran out of memory while loading: {error}",
            hint="See who holds GPU memory with: nvidia-smi",
            model=self._spec.preset.name,
            error=str(reason) if reason else error.message,
        )

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """See ``Engine.stream``. An engine that failed for good raises EngineError on every request from then
        on."""
        handle = self._begin(request)
        self._count_answers(+1)
        try:
            async for chunk in handle.chunks():
                yield chunk
        finally:
            await handle.stop()
            self._count_answers(-1)

    def _count_answers(self, change: int) -> None:
        """The host copy is made while there are none."""
        self._answers += change
        if self._answers:
            self._idle.clear()
        else:
            self._idle.set()

    def _begin(self, request: ChatRequest) -> Request:
        if self._requests is None:
            raise EngineError("{model} is not loaded.", model=self._spec.preset.name)
        return self._requests(request)

    async def sleep(self) -> None:
        """See ``Engine.sleep``; waits for the host copy of the weights, should it still be under way."""
        if self._sleeper is None or self._keeping is None:
            raise EngineError("{model} is not loaded.", model=self._spec.preset.name)
        await self._keeping
        await self._sleeper.sleep()

    async def close(self) -> None:
        """Ends LMDeploy's threads and gives the GPU back, as far as it does within the limit: the process
        ends anyway."""
        if self._pipe is not None:
            pipe, self._pipe, self._requests = self._pipe, None, None
            await asyncio.wait([asyncio.ensure_future(_in_thread(pipe.close))], timeout=CLOSE_LIMIT_S)


async def _in_thread(work: Callable[..., None], *arguments: Any) -> None:
    """Like ``asyncio.to_thread``, in a daemon thread: one that never returns must not hold up the end of the
    process."""
    result: Future[None] = Future()

    def run() -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            result.set_exception(error)
        else:
            result.set_result(None)

    Thread(target=run, name="lmdeploy", daemon=True).start()
    await asyncio.wrap_future(result)


def _blank_picture(size_px: tuple[int, int], folder: Path) -> Path:
    path = folder / "blank.png"
    Image.new("RGB", size_px, "white").save(path)
    return path
