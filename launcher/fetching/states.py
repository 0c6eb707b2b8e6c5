"""What is told of a model's download. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from launcher.checkpoints import Hub
from launcher.errors import LauncherError
from launcher.readiness import Readiness

__all__ = ["FetchStage", "FetchStatus", "Hub"]


class FetchStage(Enum):
    """Where a download stands. ABSENT: nobody has begun it. ASKING: the hub is asked what there is. STOPPED:
    somebody has cancelled it. HERE: the model is offered."""

    ABSENT = "absent"
    ASKING = "asking"
    FETCHING = "fetching"
    CHECKING = "checking"
    STOPPED = "stopped"
    FAILED = "failed"
    HERE = "here"

    @property
    def is_under_way(self) -> bool:
        """Whether it can be cancelled."""
        return self in (FetchStage.ASKING, FetchStage.FETCHING, FetchStage.CHECKING)


@dataclass(frozen=True, slots=True)
class FetchStatus:
    """One model's download now.

    Attributes:
        name: the model's.
        hubs: those that can be asked, the preferred first.
        hub: the one that is asked, or was last.
        command: what does the same in a terminal, as it is to be typed.
        file: what comes or is checked now.
        done_bytes: what is here of all files.
        total_bytes: of all files; None until the hub has told, of a model that is not known.
        is_exact: whether the hub has told ``total_bytes``; else it is about that.
        bytes_per_s: how fast it comes.
        free_bytes: room on the disk; None where that cannot be told.
        unhashed: files that are taken by their size alone, as the hub gives no hash.
        error: why it FAILED.
        readiness: how the model runs, once it is HERE.
    """

    name: str
    hubs: tuple[Hub, ...]
    hub: Hub
    command: str
    stage: FetchStage = FetchStage.ABSENT
    file: str = ""
    done_bytes: int = 0
    total_bytes: int | None = None
    is_exact: bool = False
    bytes_per_s: float = 0.0
    free_bytes: int | None = None
    unhashed: tuple[str, ...] = ()
    error: LauncherError | None = None
    readiness: Readiness | None = None

    @property
    def other_hubs(self) -> tuple[Hub, ...]:
        """What else can be asked."""
        return tuple(hub for hub in self.hubs if hub != self.hub)
