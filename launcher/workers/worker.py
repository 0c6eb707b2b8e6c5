"""The main of a model's process: prepares and loads one engine, answers over the pipe, puts it to sleep and
wakes it.

Knows nothing of other models or of restarts.

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
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

from launcher.devices import VISIBLE_DEVICES
from launcher.engines.base import Engine, EngineSpec
from launcher.engines.table import engine_class
from launcher.errors import EngineBroken, EngineError, LauncherError
from launcher.messages import ChatRequest, Chunk
from launcher.request_checks import check_length
from launcher.workers.engine_failures import answer_defect, load_failure
from launcher.workers.gathering import Gathering
from launcher.workers.message_pipe import MessagePipe
from launcher.workers.protocol import (
    Ask,
    Broken,
    Cancel,
    Failed,
    FromWorker,
    Heartbeat,
    Load,
    LoadFailed,
    Prepare,
    Progressed,
    Ready,
    Said,
    Shutdown,
    Sleep,
    Slept,
    StandingBy,
    ToWorker,
)
from launcher.workers.wire import TO_WORKER_BYTES, to_bytes, to_worker

Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1


def main(pipe_fd: int, heartbeat_s: float, launcher_pid: int) -> None:
    """Serves the pipe until told to stop; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides when a model stops
    faulthandler.enable()
    die_with(launcher_pid)
    pipe = MessagePipe.inherited(pipe_fd, TO_WORKER_BYTES)
    exit_code = 1
    try:
        asyncio.run(Worker(pipe, heartbeat_s).run())
        exit_code = 0
    except BaseException:  # noqa: BLE001 - the end of the process
        traceback.print_exc()
    _flush()
    os._exit(exit_code)  # threads that an engine or its libraries left behind must not hold the exit up


def die_with(launcher_pid: int) -> None:
    """Has the kernel end this process with the launcher, even while foreign code holds the interpreter.
    Elsewhere EOF must do."""
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


class _Over(Exception):
    """The process ends, and this is to be said before."""

    def __init__(self, last_words: LoadFailed | Broken) -> None:
        super().__init__(last_words)
        self.last_words = last_words


class Worker:
    """One engine behind one pipe. Everything but `_read` and progress runs on the event loop."""

    def __init__(self, pipe: MessagePipe, heartbeat_s: float) -> None:
        self._pipe = pipe
        self._heartbeat_s = heartbeat_s
        self._send_lock = threading.Lock()  # an engine may report progress from the thread it loads in
        self._inbox: asyncio.Queue[ToWorker | Broken] = asyncio.Queue()
        self._spec: EngineSpec | None = None
        self._engine: Engine | None = None
        self._session_tokens = 0
        self._answers: dict[int, asyncio.Task[None]] = {}
        self._gathering = Gathering(self._send)

    async def run(self) -> None:
        """Does what it is told, in order, until Shutdown, a failed load or a broken engine."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="launcher's messages", daemon=True).start()
        beat = asyncio.create_task(self._beat())
        try:
            while not isinstance(message := await self._inbox.get(), Shutdown):
                await self._obey(message)
        except _Over as over:
            self._gathering.flush()
            self._send(over.last_words)
            if isinstance(over.last_words, Broken):
                return  # what is broken cannot be relied on to close
        finally:
            beat.cancel()
        await self._close()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while True:
                if (data := self._pipe.receive()) is not None:
                    loop.call_soon_threadsafe(self._inbox.put_nowait, to_worker(data))
        except (EOFError, OSError):  # the launcher is gone
            _end_with_all_spawned()
        except Exception:  # noqa: BLE001 - the end of the process: it must not live on deaf
            traceback.print_exc()
            _flush()
            os._exit(1)

    def _send(self, message: FromWorker) -> None:
        with self._send_lock:
            self._pipe.send(to_bytes(message))

    async def _beat(self) -> None:
        while True:
            self._send(Heartbeat())
            await asyncio.sleep(self._heartbeat_s)

    async def _obey(self, message: ToWorker | Broken) -> None:
        match message:
            case Broken():
                raise _Over(message)
            case Prepare(runs, spec):
                self._spec = spec
                self._send(Progressed("libraries", 0.0))
                await self._or_fail(self._prepare(runs, spec))
                self._send(StandingBy())
            case Load(runs, spec):
                await self._or_fail(self._take_place(runs, spec))
                facts = await self._or_fail(self._loaded_engine().load(self._progressed))
                self._session_tokens = facts.session_tokens
                self._send(Ready(facts))
            case Sleep():
                await self._loaded_engine().sleep()
                self._send(Slept())
            case Ask():
                self._begin(message)
            case Cancel(answer_id):
                if answer := self._answers.get(answer_id):
                    answer.cancel()

    def _progressed(self, stage: str, fraction: float) -> None:
        self._send(Progressed(stage, min(1.0, max(0.0, fraction))))

    async def _take_place(self, runs: str, spec: EngineSpec) -> None:
        """From here on the spec's card is the only one that CUDA shows this process; it reads the variable
        when it is first used. Where another device was prepared for, with another plan, the engine is built
        anew, of what is imported already."""
        if spec.card:
            os.environ[VISIBLE_DEVICES] = spec.card
        if self._spec is None or replace(self._spec, card=spec.card) != spec:
            await self._prepare(runs, spec)
        self._spec = spec

    async def _prepare(self, runs: str, spec: EngineSpec) -> None:
        self._engine = engine_class(runs)(spec)
        await self._engine.prepare()

    async def _or_fail(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except Exception as error:
            if not isinstance(error, LauncherError):
                traceback.print_exc()
            raise _Over(LoadFailed(load_failure(self._spec, error))) from error

    def _loaded_engine(self) -> Engine:
        assert self._engine is not None, "the launcher says Prepare first"
        return self._engine

    def _begin(self, ask: Ask) -> None:
        task = asyncio.create_task(self._answer(ask.answer_id, ask.request))
        self._answers[ask.answer_id] = task
        task.add_done_callback(lambda done: self._finished(ask.answer_id, done))

    async def _answer(self, answer_id: int, request: ChatRequest) -> None:
        check_length(request, self._session_tokens)  # the launcher may not have known yet
        async with contextlib.aclosing(self._loaded_engine().stream(request)) as chunks:
            async for chunk in chunks:
                if chunk.finish is not None:
                    self._gathering.end(answer_id)
                    self._send(Said(answer_id, chunk))
                    return
                self._gathering.add(answer_id, chunk.text)
        raise EngineError(
            "The engine ended an answer without saying why.", hint="This is a defect; please report it."
        )

    def _finished(self, answer_id: int, task: asyncio.Task[None]) -> None:
        del self._answers[answer_id]
        self._gathering.end(answer_id)
        if task.cancelled():
            self._send(Said(answer_id, Chunk("", finish="cancelled")))
        elif (error := task.exception()) is not None:
            if not isinstance(error, LauncherError):
                traceback.print_exception(error)
                error = answer_defect(error)
            if isinstance(error, EngineBroken):
                self._inbox.put_nowait(Broken(error))
            else:
                self._send(Failed(answer_id, error))

    async def _close(self) -> None:
        for task in self._answers.values():
            task.cancel()
        await asyncio.gather(*self._answers.values(), return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
