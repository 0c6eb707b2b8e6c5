"""What is worth keeping for a later question, within a bound in bytes: the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Kept(Generic[Thing]):
    """Things by key. May be used from several threads at once.

    Args:
        max_bytes: what all may take together; what takes more by itself is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._things: OrderedDict[Hashable, tuple[Thing, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Thing | None:
        """The thing, which counts as used now; None where there is none or it had to go."""
        with self._lock:
            if key not in self._things:
                return None
            self._things.move_to_end(key)
            return self._things[key][0]

    def put(self, key: Hashable, thing: Thing, size_bytes: int) -> None:
        """Keeps the thing, and lets others go where there is no room for all."""
        with self._lock:
            self._things.pop(key, None)
            if size_bytes > self._max_bytes:
                return
            self._things[key] = (thing, size_bytes)
            while self._total_bytes() > self._max_bytes:
                self._things.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        """Lets the thing go, if it is there."""
        with self._lock:
            self._things.pop(key, None)

    def clear(self) -> None:
        """Lets everything go."""
        with self._lock:
            self._things.clear()

    def items(self) -> list[tuple[Hashable, Thing]]:
        """All of them, the least recently used first; none counts as used by this."""
        with self._lock:
            return [(key, thing) for key, (thing, _) in self._things.items()]

    @property
    def held_bytes(self) -> int:
        """What all take together."""
        with self._lock:
            return self._total_bytes()

    def _total_bytes(self) -> int:
        return sum(size_bytes for _, size_bytes in self._things.values())
