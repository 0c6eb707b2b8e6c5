"""The signals that end a program. Those that the launcher was started to ignore (by ``nohup``: the end of the
terminal) stay ignored."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

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
    raise SystemExit(128 + number)


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
