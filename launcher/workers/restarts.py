"""Whether and when a model whose process died is started again: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_S = 600.0
"""Deaths longer ago are forgotten."""

MAX_RESTARTS = 5
"""Within WINDOW_S: a model that dies more often will not be helped by another start."""

MAX_LOADS = 2
"""Deaths in a row while loading. The second try meets what the first may have missed (memory just freed); a
third is hopeless and keeps a person waiting."""

FIRST_PAUSE_S = 0.5
"""Before the second restart; the first is at once, as the person at the page is about to ask again. Doubles
each time."""


@dataclass(frozen=True, slots=True)
class Death:
    """A process ended that was not asked to. ``at_s`` is on the caller's clock."""

    at_s: float
    while_loading: bool


def pause_before_restart_s(deaths: Sequence[Death]) -> float | None:
    """Seconds to wait after the last of ``deaths`` (oldest first) before starting again; None to give up."""
    recent = [death for death in deaths if death.at_s > deaths[-1].at_s - WINDOW_S]
    if len(recent) > MAX_RESTARTS:
        return None
    if len(recent) >= MAX_LOADS and all(death.while_loading for death in recent[-MAX_LOADS:]):
        return None
    return 0.0 if len(recent) == 1 else FIRST_PAUSE_S * 2 ** (len(recent) - 2)
