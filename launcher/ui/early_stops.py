"""Stops that are here before their questions: the two come by connections of their own, in any order."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

WAITS_S = 60.0
"""How long a stop waits for its question. One that came after its answer's end waits for nothing, and nobody
says that it does."""

MOST_WAITING = 1024
"""The oldest go first."""


@dataclass
class EarlyStops:
    """What is to be stopped as soon as it is asked."""

    clock_s: Callable[[], float] = time.monotonic
    _waiting: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)
    """When each came, the oldest first."""

    def add(self, turn: Hashable) -> None:
        """The turn is to be stopped."""
        self._waiting.pop(turn, None)
        self._waiting[turn] = self.clock_s()
        self._forget_old()

    def take(self, turn: Hashable) -> bool:
        """Whether the turn, which is asked now, is to be stopped; says so once."""
        self._forget_old()
        return self._waiting.pop(turn, None) is not None

    def _forget_old(self) -> None:
        oldest_s = self.clock_s() - WAITS_S
        while self._waiting and (
            len(self._waiting) > MOST_WAITING or next(iter(self._waiting.values())) < oldest_s
        ):
            self._waiting.popitem(last=False)
