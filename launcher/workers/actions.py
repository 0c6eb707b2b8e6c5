"""What the scheduler decides and the manager carries out."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.errors import LauncherError


@dataclass(frozen=True, slots=True)
class Prepare:
    """Spawn a process that stands by for the model: it imports what loading needs and leaves the GPU
    alone."""

    name: str


@dataclass(frozen=True, slots=True)
class PrepareSpare:
    """The same for a model that has a process: should that die, the spare one takes its place."""

    name: str


@dataclass(frozen=True, slots=True)
class UseSpare:
    """From now on the spare process is the model's process."""

    name: str


@dataclass(frozen=True, slots=True)
class StopSpare:
    """Stop the spare process."""

    name: str


@dataclass(frozen=True, slots=True)
class Start:
    """Load the model on the device, or wake it where it sleeps there; spawn its process where there is
    none."""

    name: str
    device: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Have the model give the device back and keep its process."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the model's process."""

    name: str


@dataclass(frozen=True, slots=True)
class Send:
    """Give the question to the model's process."""

    name: str
    answer_id: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Tell the model's process that nobody reads this answer any more."""

    name: str
    answer_id: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the answer with an error."""

    answer_id: int
    error: LauncherError


@dataclass(frozen=True, slots=True)
class Look:
    """Measure what the device holds: who waits may be placed there. Answered with `Scheduler.measured`,
    whether or not it can be told."""

    device: str


Action = (
    Prepare | PrepareSpare | UseSpare | StopSpare | Start | Sleep | Stop | Send | Withdraw | Refuse | Look
)
