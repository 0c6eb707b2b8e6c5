"""From a foreign event loop to ours: however much is handed over before our loop turns, it is woken once.

A wake-up is a system call and a switch of threads; with one for each token of each answer they would cost
more than what is done with the tokens.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any


class HandOver:
    """Hands items to queues whose readers run on ``loop``; each queue's items arrive in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._on_the_way: deque[tuple[asyncio.Queue[Any], object]] = deque()
        self._loop_is_told = False

    def put(self, reader: asyncio.Queue[Any], item: object) -> None:
        """Puts the item in the reader's queue, soon. For one thread alone, which is not the loop's."""
        self._on_the_way.append((reader, item))
        if not self._loop_is_told:
            self._loop_is_told = True
            self.loop.call_soon_threadsafe(self._arrive)

    def _arrive(self) -> None:
        self._loop_is_told = False  # first, so that what is put from here on is told of again
        while self._on_the_way:
            reader, item = self._on_the_way.popleft()
            reader.put_nowait(item)
