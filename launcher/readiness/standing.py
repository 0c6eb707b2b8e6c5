"""Where a preset stands on this machine: ready on such an engine and device, or what is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from launcher.devices import Gpu
from launcher.errors import LauncherError
from launcher.memory import MemoryPlan
from launcher.presets import Preset

REMOTE = "remote"
"""What stands for a device where a model runs on a server."""
FIRST_GPU = "cuda:0"
"""What torch calls the only card that a model's process is shown."""

GOES_ELSEWHERE = "Questions and pictures go to that server."
SLOW = "There is no GPU for this model: it runs on the CPU and answers slowly."


class ReadyState(Enum):
    """What stands between a preset and its first answer."""

    READY = "ready"
    NEEDS_DOWNLOAD = "needs download"
    NEEDS_GPU = "needs a GPU"
    NEEDS_KEY = "needs a key"
    UNSUPPORTED = "not supported here"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Where a preset stands on this machine.

    READY has engine (its name), device (a torch device name, or REMOTE), folder, with an LMDeploy engine the
    plan, with another the ``size_bytes`` that it takes of its device (None for a small model, which always
    has its place, and for one on a server, which has no folder either), and maybe a ``note``, a sentence to
    be shown. Any other state has the ``reason``, and the ``command`` that helps, exactly as it is to be
    typed, "" for none. On a machine with several cards this is the one with most room, ``gpu``, and
    ``elsewhere`` has the same for the others that it may run on.
    """

    preset: Preset
    state: ReadyState
    engine: str = ""
    device: str = ""
    folder: Path | None = None
    plan: MemoryPlan | None = None
    note: str = ""
    reason: LauncherError | None = None
    command: str = ""
    size_bytes: int | None = None
    gpu: Gpu | None = None
    elsewhere: tuple[Readiness, ...] = ()

    @property
    def places(self) -> tuple[Readiness, ...]:
        """Where it may run, each with its plan, the roomiest card first; none where it cannot run."""
        return (self, *self.elsewhere) if self.state is ReadyState.READY else ()

    @property
    def place(self) -> str:
        """Where it may run, for people: "cpu", "GPU 1", "GPU 0 or 1", a server's address."""
        if self.preset.endpoint is not None:
            return self.preset.endpoint.url
        numbers = [place.gpu.number for place in self.places if place.gpu is not None]
        return f"GPU {' or '.join(sorted(numbers))}" if numbers else self.device


def refused(preset: Preset, state: ReadyState, reason: LauncherError, command: str = "") -> Readiness:
    """A preset that cannot run; ``command`` is what helps, "" for none."""
    return Readiness(preset, state, reason=reason, command=command)
