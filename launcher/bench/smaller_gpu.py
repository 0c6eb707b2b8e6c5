"""A large GPU taken for a smaller one: what is measured of it, as if no more were there."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.workers.gauge import Measure
from launcher.workers.states import Seen


def limited(measure: Measure, limit_bytes: int) -> Measure:
    """The same, but models together find no more than ``limit_bytes`` on a GPU. Where the driver does not
    tell what they hold, nothing is known, and what is planned stands in."""

    def measured(device: str, pids: Mapping[str, int]) -> Seen | None:
        seen = measure(device, pids)
        if seen is None or device == "cpu":
            return seen
        if not seen.held_bytes:
            return None
        left_bytes = max(0, limit_bytes - sum(seen.held_bytes.values()))
        return Seen(min(seen.free_bytes, left_bytes), seen.held_bytes)

    return measured
