"""Asks what a device holds without depending on an answer: a driver that hangs must hold up neither decisions
nor the launcher's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread

from launcher.workers.limits import MEASURE_S
from launcher.workers.states import Seen

Measure = Callable[[str, Mapping[str, int]], Seen | None]
"""Device name, model -> process id -> what is held of the device now."""


class Gauge:
    """Reads devices one at a time.

    Args:
        measure: what is asked; it may hang.
        limit_s: how long it is waited for.
    """

    def __init__(self, measure: Measure, limit_s: float = MEASURE_S) -> None:
        self._measure = measure
        self._limit_s = limit_s
        self._under_way: Thread | None = None

    def read(self, device: str, pids: Mapping[str, int]) -> Seen | None:
        """What the device holds now; None where that is not known within the limit, or an earlier reading
        still hangs."""
        if self._under_way is not None and self._under_way.is_alive():
            return None
        found: SimpleQueue[Seen | None] = SimpleQueue()
        self._under_way = Thread(
            target=lambda: found.put(self._measure(device, pids)), name="launcher's gauge", daemon=True
        )
        self._under_way.start()
        try:
            return found.get(timeout=self._limit_s)
        except Empty:
            return None
