"""Who leaves a device so that another model fits: pure, over measured or planned sizes; no clock, no process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resident:
    """A model that holds memory on a device.

    Attributes:
        needs_bytes: what its plan says it holds.
        idle: it is loaded and nobody waits for an answer of it.
        used_s: when it was last used, on any clock; earlier leaves first.
        leaving: it is being stopped already; its memory comes back by itself.
    """

    name: str
    needs_bytes: int
    idle: bool
    used_s: float
    leaving: bool = False


def fits(wanted_bytes: int, budget_bytes: int, residents: Sequence[Resident]) -> bool:
    """Whether a model may load now. On an empty device it always may: its own plan has judged that."""
    return not residents or wanted_bytes + sum(resident.needs_bytes for resident in residents) <= budget_bytes


def to_release(wanted_bytes: int, budget_bytes: int, residents: Sequence[Resident]) -> tuple[str, ...]:
    """The models that must leave before ``wanted_bytes`` fit, beside those that are leaving already.

    Idle ones go before busy ones, among each the least recently used first, and none goes needlessly.
    """
    staying = [resident for resident in residents if not resident.leaving]
    released: list[Resident] = []
    for resident in sorted(staying, key=lambda one: (not one.idle, one.used_s)):
        if fits(wanted_bytes, budget_bytes, staying):
            break
        staying.remove(resident)
        released.append(resident)
    for resident in reversed(released.copy()):
        if fits(wanted_bytes, budget_bytes, [*staying, resident]):
            staying.append(resident)
            released.remove(resident)
    return tuple(resident.name for resident in released)
