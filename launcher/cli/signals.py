"""The signals that end a program. Those that the launcher was started to ignore (by ``nohup``: the end of the
terminal) stay ignored."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_CTRL_C = signal.SIGINT
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def leave_when_told_to() -> None:
    """From now on such a signal leaves through every ``with`` and ``finally``, so that no worker process and
    no temporary file stays behind. Ctrl-C does so by itself."""
    for number in _heeded():
        signal.signal(number, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    for each in _ENDING:  # a terminal that ends sends several; the first is enough
        signal.signal(each, signal.SIG_IGN)
    leaving = SystemExit(128 + number)
    if (loop := _running_loop()) is None:
        raise leaving
    # Raised where the signal struck, it might take the place of a task's next step, and the task, which then
    # never ends, would be waited for: one chat in some hundreds outlived its terminal so.
    loop.call_soon_threadsafe(_raise, leaving)


def _running_loop() -> AbstractEventLoop | None:
    """The main thread's, where asyncio, which commands that need none do not import, is here at all."""
    asyncio = sys.modules.get("asyncio")
    try:
        return None if asyncio is None else asyncio.get_running_loop()
    except (RuntimeError, AttributeError):  # none runs, or asyncio is just being imported
        return None


def _raise(leaving: SystemExit) -> None:
    raise leaving


@contextmanager
def until_told_to_stop() -> Iterator[SimpleQueue[int]]:
    """A queue into which each such signal is put, and Ctrl-C, from the first moment on."""
    # Not an event: its lock may be held by the very thread that the signal interrupts.
    told: SimpleQueue[int] = SimpleQueue()

    def tell(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    before = {number: signal.signal(number, tell) for number in (_CTRL_C, *_heeded())}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heeded() -> list[signal.Signals]:
    return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
