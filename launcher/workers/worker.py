"""The main of a model's process: loads one engine and answers over the pipe. Knows nothing of other models or of restarts.

All is decided on one event loop. The process ends when asked to, and at once when the launcher is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection

from launcher.engines import load_engine_class
from launcher.engines.base import Engine, EngineSpec
from launcher.errors import EngineError, LauncherError, OutOfMemory
from launcher.messages import ChatRequest, Chunk
from launcher.workers.protocol import (
    Ask,
    Cancel,
    Failed,
    FromWorker,
    Heartbeat,
    Load,
    LoadFailed,
    Progressed,
    Ready,
    Said,
    Shutdown,
    ToWorker,
    sendable,
)

_PR_SET_PDEATHSIG = 1
_OUT_OF_MEMORY = "out of memory"
"""What CUDA, PyTorch and TurboMind each say in an exception of their own."""


def main(pipe_fd: int, heartbeat_s: float, launcher_pid: int) -> None:
    """Serves the pipe until told to stop; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides when a model stops
    faulthandler.enable()
    os.set_inheritable(pipe_fd, False)
    _die_with(launcher_pid)
    pipe: Connection[FromWorker, ToWorker] = Connection(pipe_fd)
    exit_code = 1
    try:
        asyncio.run(Worker(pipe, heartbeat_s).run())
        exit_code = 0
    except BaseException:  # noqa: BLE001 - the end of the process
        traceback.print_exc()
    _flush()
    os._exit(exit_code)  # threads that an engine or its libraries left behind must not hold the exit up


def _die_with(launcher_pid: int) -> None:
    """Has the kernel end this process with the launcher, even while foreign code holds the interpreter. Elsewhere EOF must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher_pid:
        _end_with_all_spawned()


def _end_with_all_spawned() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


class Worker:
    """One engine behind one pipe. Everything but `_read` and progress runs on the event loop."""

    def __init__(self, pipe: Connection[FromWorker, ToWorker], heartbeat_s: float) -> None:
        self._pipe = pipe
        self._heartbeat_s = heartbeat_s
        self._send_lock = threading.Lock()  # an engine may report progress from the thread it loads in
        self._inbox: asyncio.Queue[ToWorker] = asyncio.Queue()
        self._engine: Engine | None = None
        self._answers: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Loads the engine named by the first message, then answers until Shutdown or a failed load."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="launcher's messages", daemon=True).start()
        beat = asyncio.create_task(self._beat())
        try:
            first = await self._inbox.get()
            if isinstance(first, Load) and await self._load(first.spec):
                await self._serve()
        finally:
            beat.cancel()
            await self._close()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(self._inbox.put_nowait, self._pipe.recv())
        except (EOFError, OSError):  # the launcher is gone
            _end_with_all_spawned()
        except Exception:  # noqa: BLE001 - the end of the process: it must not live on deaf
            traceback.print_exc()
            _flush()
            os._exit(1)

    def _send(self, message: FromWorker) -> None:
        with self._send_lock:
            self._pipe.send(message)

    async def _beat(self) -> None:
        while True:
            self._send(Heartbeat())
            await asyncio.sleep(self._heartbeat_s)

    async def _load(self, spec: EngineSpec) -> bool:
        try:
            self._send(Progressed("starting", 0.0))
            self._engine = load_engine_class(spec.engine)(spec)
            facts = await self._engine.load(lambda stage, fraction: self._send(Progressed(stage, fraction)))
        except LauncherError as error:
            self._send(LoadFailed(sendable(error)))
        except Exception as error:  # noqa: BLE001 - the end of the process: translated for the launcher
            traceback.print_exc()
            self._send(LoadFailed(_load_defect(spec, error)))
        else:
            self._send(Ready(facts))
            return True
        return False

    async def _serve(self) -> None:
        while not isinstance(message := await self._inbox.get(), Shutdown):
            if isinstance(message, Ask):
                self._begin(message)
            elif isinstance(message, Cancel) and (answer := self._answers.get(message.answer_id)):
                answer.cancel()

    def _begin(self, ask: Ask) -> None:
        task = asyncio.create_task(self._answer(ask.answer_id, ask.request))
        self._answers[ask.answer_id] = task
        task.add_done_callback(lambda done: self._finished(ask.answer_id, done))

    async def _answer(self, answer_id: int, request: ChatRequest) -> None:
        assert self._engine is not None
        async with contextlib.aclosing(self._engine.stream(request)) as chunks:
            async for chunk in chunks:
                self._send(Said(answer_id, chunk))
                if chunk.finish is not None:
                    return
        raise EngineError("The engine ended an answer without saying why.", hint="This is a defect; please report it.")

    def _finished(self, answer_id: int, task: asyncio.Task[None]) -> None:
        del self._answers[answer_id]
        if task.cancelled():
            self._send(Said(answer_id, Chunk("", finish="cancelled")))
        elif isinstance(error := task.exception(), LauncherError):
            self._send(Failed(answer_id, sendable(error)))
        elif error is not None:
            traceback.print_exception(error)
            self._send(Failed(answer_id, _answer_defect(error)))

    async def _close(self) -> None:
        for task in self._answers.values():
            task.cancel()
        await asyncio.gather(*self._answers.values(), return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()


def _load_defect(spec: EngineSpec, error: BaseException) -> LauncherError:
    if _OUT_OF_MEMORY in str(error).lower():
        return OutOfMemory(
            "{model} ran out of memory while loading: {error}",
            hint="See who holds GPU memory with: nvidia-smi",
            model=spec.preset.name,
            error=_in_words(error),
        )
    return EngineError(
        "{model} failed while loading: {error}",
        hint="The whole story is in the model's log.",
        model=spec.preset.name,
        error=_in_words(error),
    )


def _answer_defect(error: BaseException) -> EngineError:
    return EngineError("The model failed while answering: {error}", hint="Ask again.", error=_in_words(error))


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
