"""Who gives up what on a device so that another model fits: pure, over measured or planned sizes; no clock,
no process.

A model that leaves may sleep, which is quick to undo and keeps a little of the device, or end its process,
which gives everything back and is slow to undo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Leaving(Enum):
    """How a model gives memory back."""

    SLEEP = "sleep"
    END = "end"


@dataclass(frozen=True, slots=True)
class Resident:
    """A model whose process holds memory on a device.

    Attributes:
        held_bytes: what it holds, or will once it is loaded or at work.
        asleep_bytes: what it would still hold asleep; None if it can only end.
        asleep: it sleeps already, so it can only end.
        idle: nobody waits for an answer of it, and it is not being loaded.
        used_s: when it was last used, on any clock; earlier leaves first.
        leaving: how it is giving memory back already; that memory comes by itself.
    """

    name: str
    held_bytes: int
    idle: bool
    used_s: float
    asleep_bytes: int | None = None
    asleep: bool = False
    leaving: Leaving | None = None


def held(residents: Sequence[Resident], leaving: Mapping[str, Leaving | None] | None = None) -> int:
    """What stays held once those named have left in the way given; by default as things are now."""
    return sum(_left_bytes(resident, (leaving or {}).get(resident.name)) for resident in residents)


def fits(wanted_bytes: int, budget_bytes: int, residents: Sequence[Resident]) -> bool:
    """Whether a model may load now. On an empty device it always may: its own plan has judged that."""
    return not residents or wanted_bytes + held(residents) <= budget_bytes


def to_release(wanted_bytes: int, budget_bytes: int, residents: Sequence[Resident]) -> dict[str, Leaving]:
    """Who must leave, and how, before ``wanted_bytes`` fit, beside those that are leaving already.

    Idle models go to sleep first; where that is not enough, sleepers and idle ones end; only then busy ones
    leave, in the same two ways. Among equals the least recently used goes first, and none gives up what is
    not needed.
    """
    given: dict[str, Leaving | None] = {one.name: one.leaving for one in residents}
    plan = dict(given)
    undo: list[tuple[str, Leaving | None]] = []

    def enough() -> bool:
        gone = all(way is Leaving.END for way in plan.values())
        return gone or wanted_bytes + held(residents, plan) <= budget_bytes

    for name, way in _steps(residents):
        if enough():
            break
        undo.append((name, plan[name]))
        plan[name] = way
    for name, before in reversed(undo):
        taken, plan[name] = plan[name], before
        if not enough():
            plan[name] = taken
    return {name: way for name, way in plan.items() if way is not None and way is not given[name]}


def _steps(residents: Sequence[Resident]) -> list[tuple[str, Leaving]]:
    """Everything that could be given up, in the order in which it should be."""
    by_use = sorted(residents, key=lambda one: one.used_s)
    steps = []
    for idle in (True, False):
        group = [one for one in by_use if one.idle is idle and one.leaving is not Leaving.END]
        steps += [(one.name, Leaving.SLEEP) for one in group if _can_sleep(one) and one.leaving is None]
        steps += [(one.name, Leaving.END) for one in group]
    return steps


def _can_sleep(resident: Resident) -> bool:
    return resident.asleep_bytes is not None and not resident.asleep


def _left_bytes(resident: Resident, way: Leaving | None) -> int:
    match way:
        case None:
            return resident.held_bytes
        case Leaving.SLEEP:
            return min(resident.held_bytes, resident.asleep_bytes or 0)
        case Leaving.END:
            return 0
