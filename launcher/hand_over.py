"""From other threads to an event loop: however much is handed over before the loop turns, it is woken once.

A wake-up is a system call, in which the thread lets go of the interpreter, and a switch of threads. With one
for each token of each answer they would cost more than what is done with the tokens; and a loop that is busy
with the first of 32 answers would keep the thread from telling of the second.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable


class HandOver:
    """Has things done on ``loop``, in the order of the calls."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._on_the_way: deque[Callable[[], object]] = deque()
        self._loop_is_told = False

    def call(self, work: Callable[[], object]) -> None:
        """Has this called, soon; does nothing once the loop is closed. May be called from any thread."""
        self._on_the_way.append(work)
        if not self._loop_is_told:
            self._loop_is_told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self.loop.call_soon_threadsafe(self._arrive)

    def _arrive(self) -> None:
        self._loop_is_told = False  # first, so that what comes from here on is told of again
        while self._on_the_way:
            self._on_the_way.popleft()()


class _Here(threading.local):
    hand_over: HandOver | None = None


_here = _Here()


def to_this_loop() -> HandOver:
    """To the loop that runs in this thread; everybody who asks here shares it."""
    loop = asyncio.get_running_loop()
    if _here.hand_over is None or _here.hand_over.loop is not loop:
        _here.hand_over = HandOver(loop)
    return _here.hand_over
