"""Where a model stands, as the page and the terminal show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from launcher.errors import LauncherError


class ModelState(Enum):
    """Life of one model. Only ASLEEP, FAILED and UNAVAILABLE have no process."""

    UNAVAILABLE = "unavailable"
    ASLEEP = "asleep"
    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model's state now. ``stage`` and ``fraction`` (0 to 1) say how far loading is; ``error`` why it is FAILED or UNAVAILABLE."""

    name: str
    state: ModelState
    stage: str = ""
    fraction: float = 0.0
    since_s: float = 0.0
    error: LauncherError | None = None
