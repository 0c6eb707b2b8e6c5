"""When the scheduler is to be asked though nothing has happened."""

from __future__ import annotations

from threading import Condition, RLock


class Alarm:
    """Waits until something is due; what is due sooner ends the wait. The caller of every method holds the
    lock.

    Args:
        lock: the one under which things change; `wait` lets go of it meanwhile.
    """

    def __init__(self, lock: RLock) -> None:
        self._sooner = Condition(lock)
        self._at_s: float | None = None

    def set(self, due_s: float | None) -> None:
        """Something is due then, by ``time.monotonic``; None for nothing. What is due later than what is
        waited for wakes nobody: it is found when that wait ends."""
        if due_s is not None and (self._at_s is None or due_s < self._at_s):
            self.ring()

    def ring(self) -> None:
        """Ends the wait."""
        self._sooner.notify()

    def wait(self, due_s: float | None, now_s: float) -> None:
        """Until then; until it rings where nothing is due."""
        self._at_s = due_s
        self._sooner.wait(None if due_s is None else due_s - now_s)
