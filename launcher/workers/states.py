"""Where a model stands, as the page and the terminal show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from launcher.errors import LauncherError

CPU = "cpu"
"""The device whose memory is the machine's RAM."""


class ModelState(Enum):
    """Life of one model. Only LOADING, READY and STOPPING keep a device busy.

    WAITING is asked for but not begun: other models' answers finish first, or the pause before a restart
    runs.
    """

    UNAVAILABLE = "unavailable"
    ASLEEP = "asleep"
    WAITING = "waiting"
    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


class ProcessState(Enum):
    """What a model has of a process.

    STANDING_BY has imported all that loading needs and never touched the device; ENGAGED loads, works or is
    about to leave; SLEEPING has given the device back and kept what makes waking fast.
    """

    NONE = "none"
    STARTING = "starting"
    STANDING_BY = "standing by"
    ENGAGED = "engaged"
    SLEEPING = "sleeping"


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
        process: what it has of a process; asleep, that decides how fast it wakes.
        device: what that process is loaded on, sleeps on or is being loaded on; "" for nothing.
        is_remote: it runs on a server, and takes nothing of this machine.
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
    process: ProcessState = ProcessState.NONE
    device: str = ""
    is_remote: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """One model's part of a device.

    Attributes:
        held_bytes: what it holds.
        is_measured: whether that was measured; else it is its plan's.
        is_asleep: it sleeps there.
        weight_bytes: what its plan says of its weights, while it is awake; 0 where there is no plan of parts.
        cache_bytes: the same of its KV cache.
    """

    held_bytes: int
    is_measured: bool = False
    is_asleep: bool = False
    weight_bytes: int = 0
    cache_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What models hold of a device now, as measured, or by their plans where that cannot be measured.

    Attributes:
        shares: model -> its part, sleepers included.
        budget_bytes: what all may hold together.
        number: of a GPU, as nvidia-smi counts.
        total_bytes: what the device has; None where that is not known.
        others_bytes: what others than models hold of it, as it was last measured.
    """

    device: str
    shares: Mapping[str, Share]
    budget_bytes: int
    number: str = ""
    total_bytes: int | None = None
    others_bytes: int = 0

    @property
    def held_bytes(self) -> dict[str, int]:
        """Model -> what it holds."""
        return {name: share.held_bytes for name, share in self.shares.items()}

    @property
    def free_bytes(self) -> int:
        """What nobody holds of the device, or of the budget where the device's size is not known."""
        whole_bytes = self.budget_bytes if self.total_bytes is None else self.total_bytes - self.others_bytes
        return max(0, whole_bytes - sum(self.held_bytes.values()))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of a device.

    Attributes:
        free_bytes: what nobody holds.
        held_bytes: model -> what its process holds; without those that the driver does not tell of.
        total_bytes: what the device has; None where that is not told.
    """

    free_bytes: int
    held_bytes: Mapping[str, int]
    total_bytes: int | None = None
