"""The main of a model's process: an engine (``engine_host``) behind a pipe, with a sign of life every moment.

The process ends when asked to, and at once when the launcher is gone.
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
from functools import partial

from launcher.hand_over import HandOver
from launcher.workers.engine_host import EngineHost
from launcher.workers.message_pipe import MessagePipe
from launcher.workers.protocol import Failed, FromWorker, Heartbeat, Said, Words
from launcher.workers.wire import TO_WORKER_BYTES, to_bytes, to_worker

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


class Worker:
    """One engine behind one pipe."""

    def __init__(self, pipe: MessagePipe, heartbeat_s: float) -> None:
        self._pipe = pipe
        self._heartbeat_s = heartbeat_s
        self._unsent: list[bytes] = []
        self._lock = threading.Lock()  # an engine may report progress from the thread it loads in
        self.host = EngineHost(self._say)

    async def run(self) -> None:
        """Does what it is told, until the engine's life ends."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="launcher's messages", daemon=True).start()
        beat = asyncio.create_task(self._beat())
        try:
            await self.host.run()
        finally:
            beat.cancel()
            self._send()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        to_loop = HandOver(loop)
        try:
            while True:
                if (data := self._pipe.receive()) is not None:
                    to_loop.call(partial(self.host.inbox.put_nowait, to_worker(data)))
        except (EOFError, OSError):  # the launcher is gone
            _end_with_all_spawned()
        except Exception:  # noqa: BLE001 - the end of the process: it must not live on deaf
            traceback.print_exc()
            _flush()
            os._exit(1)

    def _say(self, message: FromWorker) -> None:
        """What all answers say in one turn of the loop is sent as one: sending lets go of the interpreter,
        and an engine's threads that are busy take their time to give it back. The rest goes at once, as
        loading may hold the loop up."""
        with self._lock:
            self._unsent.append(to_bytes(message))
            is_first = len(self._unsent) == 1
        if not isinstance(message, Words | Said | Failed):
            self._send()
        elif is_first:
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        with self._lock:
            if self._unsent:
                self._pipe.send(*self._unsent)
                self._unsent.clear()

    async def _beat(self) -> None:
        while True:
            self._say(Heartbeat())
            await asyncio.sleep(self._heartbeat_s)
