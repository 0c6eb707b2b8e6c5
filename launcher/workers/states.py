"""Where a model stands, as the page and the terminal show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from launcher.errors import LauncherError


class ModelState(Enum):
    """Life of one model. UNAVAILABLE, ASLEEP, WAITING and FAILED have no process.

    WAITING is asked for but not begun: other models' answers finish first, or the pause before a restart runs.
    """

    UNAVAILABLE = "unavailable"
    ASLEEP = "asleep"
    WAITING = "waiting"
    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model's state now.

    Attributes:
        stage: what is being done while LOADING, as the engine names it ("weights", "warm-up").
        fraction: how much of that is done, 0 to 1.
        since_s: seconds since the model entered this state.
        error: why it is FAILED or UNAVAILABLE.
        waiting: answers asked for that the engine has not been given yet.
        running: answers the engine is working on.
        waits_for: while WAITING, the models whose answers are finished first.
    """

    name: str
    state: ModelState
    stage: str = ""
    fraction: float = 0.0
    since_s: float = 0.0
    error: LauncherError | None = None
    waiting: int = 0
    running: int = 0
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What models hold of a device now, by their plans.

    Attributes:
        held_bytes: model -> what it holds.
        budget_bytes: what all may hold together.
    """

    device: str
    held_bytes: Mapping[str, int]
    budget_bytes: int
