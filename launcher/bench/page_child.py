"""The page in a process of its own, served as ``launcher serve`` does, with models of the measurement's
choice. It tells beside what no client can see: the tokens that the engines counted, the processor time that
the page took."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from launcher.bench.asked_within import ask_within, with_door
from launcher.bench.child import Child, child, serve_pipe
from launcher.bench.figures import Round
from launcher.bench.scripted import register
from launcher.bench.smaller_gpu import limited
from launcher.devices import read_devices
from launcher.door import LOCAL_DOOR
from launcher.errors import EngineError
from launcher.messages import ChatRequest, Chunk
from launcher.readiness import Readiness
from launcher.workers.gauge import Measure
from launcher.workers.gpu_memory import seen_on
from launcher.workers.limits import Limits
from launcher.workers.manager import Manager
from launcher.workers.observers import Observer
from launcher.workers.runnable import page_manager
from launcher.workers.states import ModelStatus

UPLOADS_VARIABLE = "GRADIO_TEMP_DIR"
_ARRIVAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Serve:
    """Serve a page with these models on 127.0.0.1; answered with its address.

    Attributes:
        models: a tab each.
        uploads: a folder for uploaded pictures.
        limit_bytes: what the models may hold of each GPU together, where more is free.
        is_measured: whether what they hold is measured, or taken for what is planned.
        is_asked_within: whether the engine of the only model can be asked past the page, too.
    """

    models: tuple[Readiness, ...]
    uploads: Path
    limit_bytes: int | None = None
    is_measured: bool = True
    is_asked_within: bool = False


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Answered once the model is loaded."""

    name: str


@dataclass(frozen=True, slots=True)
class AskWithin:
    """Ask the loaded model's engine all of this at one moment, in its own process; answered with a
    ``Round``."""

    requests: tuple[ChatRequest, ...]


@dataclass(frozen=True, slots=True)
class StatusOf:
    """Answered with the model's ``ModelStatus``."""

    name: str


@dataclass(frozen=True, slots=True)
class TakeTokens:
    """Answered with the tokens of all answers that ended since it was last asked."""


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """Answered with the processor time that the page's process has taken, its models' left out."""


@dataclass(frozen=True, slots=True)
class UntilWaiting:
    """Answered once as many questions wait for a model."""

    count: int


Message = Serve | LoadModel | AskWithin | StatusOf | TakeTokens | CpuSeconds | UntilWaiting


def page_process() -> AbstractContextManager[Child]:
    """The page's process, to be told to ``Serve``. It may take as long to end as its models do."""
    return child(__name__, "page", Limits().end_s)


def main(pipe_fd: int, _heartbeat_s: float, launcher_pid: int) -> None:
    """Serves the pipe until it ends; does not return."""
    register()
    serve_pipe(_PageProcess(), pipe_fd, launcher_pid)


class _TokenCount(Observer):
    """Counts the tokens of all answers, as their engines say."""

    def __init__(self) -> None:
        self._tokens = 0
        self._lock = threading.Lock()

    def answered(self, model: str, end: Chunk) -> None:  # noqa: ARG002 - of whichever model
        """See ``Observer``."""
        if end.usage is not None:
            with self._lock:
                self._tokens += end.usage.new_tokens

    def take(self) -> int:
        """All since the last call."""
        with self._lock:
            tokens, self._tokens = self._tokens, 0
        return tokens


class _PageProcess:
    def __init__(self) -> None:
        self._stack = ExitStack()
        self._manager: Manager | None = None
        self._tokens = _TokenCount()
        self._door: Path | None = None

    async def answer(self, message: Message) -> str | int | float | Round | ModelStatus | None:
        if isinstance(message, Serve):
            return self._serve(message)
        if isinstance(message, CpuSeconds):
            return time.process_time()
        manager = self._manager
        assert manager is not None, "Serve comes first"
        match message:
            case LoadModel(name):
                await asyncio.to_thread(manager.ensure_ready, name)
            case AskWithin(requests):
                assert self._door is not None, "Serve says that it is to be asked within"
                return await asyncio.to_thread(ask_within, self._door, requests)
            case StatusOf(name):
                return next(one for one in manager.statuses() if one.name == name)
            case TakeTokens():
                return self._tokens.take()
            case UntilWaiting(count):
                await _until_waiting(manager, count)
        return None

    def _serve(self, wanted: Serve) -> str:
        os.environ[UPLOADS_VARIABLE] = str(wanted.uploads)
        if wanted.is_asked_within:
            (model,) = wanted.models
            folder = self._stack.enter_context(TemporaryDirectory(prefix="launcher-bench-"))
            model, self._door = with_door(model, Path(folder))
            wanted = replace(wanted, models=(model,))
        free_bytes, measure = _device(wanted)
        manager = self._manager = page_manager(wanted.models, free_bytes, measure, observer=self._tokens)
        self._stack.callback(manager.close)

        from launcher.api.serving import endpoint_beside
        from launcher.ui.app import build_page
        from launcher.ui.serving import serving

        page = build_page(wanted.models, manager)
        presets = {model.preset.name: model.preset for model in wanted.models}
        endpoint = endpoint_beside(presets, manager, LOCAL_DOOR, wanted.uploads)
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        self._stack.enter_context(serving(page, [listener], endpoint=endpoint))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def close(self) -> None:
        self._stack.close()


def _device(wanted: Serve) -> tuple[dict[str, int], Measure]:
    """What is free of each GPU for the models, and how it is measured later on."""
    limit_bytes = wanted.limit_bytes
    if not wanted.is_measured:
        return {"cuda:0": limit_bytes or 0}, lambda _device, _pids: None
    free_bytes = {gpu.uuid: gpu.free_bytes for gpu in read_devices().gpus}
    if limit_bytes is None:
        return free_bytes, seen_on
    return {name: min(free, limit_bytes) for name, free in free_bytes.items()}, limited(seen_on, limit_bytes)


async def _until_waiting(manager: Manager, count: int) -> None:
    version, until_s = 0, time.monotonic() + _ARRIVAL_S
    while (waiting := sum(one.waiting for one in manager.statuses())) < count:
        if time.monotonic() > until_s:
            raise EngineError(
                "Of {count} questions {waiting} reached the page.",
                hint="This is a defect; please report it.",
                count=count,
                waiting=waiting,
            )
        version = await manager.changed(version, 1.0)
