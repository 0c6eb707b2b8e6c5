"""Waiting for something to change, in threads and on event loops."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Condition, RLock


class Changes:
    """Counts changes, and wakes whoever waits for the next one.

    Args:
        lock: the one under which things change.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._changed = Condition(lock)
        self._version = 0
        self._waits: set[Future[None]] = set()

    def tell(self) -> None:
        """Something has changed; the caller holds the lock."""
        self._version += 1
        self._changed.notify_all()
        for wait in self._waits:
            wait.set_result(None)
        self._waits.clear()

    def wait(self, version: int, timeout_s: float) -> int:
        """Blocks until something changed since ``version`` (0 at first) or time is up; returns the version to
        wait for next."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout_s)
            return self._version

    async def wait_on_loop(self, version: int, timeout_s: float) -> int:
        """`wait` for event loops: however many wait, they hold no thread."""
        change: Future[None] = Future()
        with self._lock:
            if self._version != version:
                return self._version
            self._waits.add(change)
        try:
            await asyncio.wait([asyncio.wrap_future(change)], timeout=timeout_s)
        finally:
            with self._lock:
                self._waits.discard(change)
        return self._version
