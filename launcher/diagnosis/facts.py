"""The facts of this machine that a diagnosis looks at; ``launcher.cli.doctor_facts`` gathers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.devices import Devices
from launcher.errors import DeviceError, LauncherError, PresetError
from launcher.readiness import Readiness

TIGHT_MODEL_DISK_BYTES = 5_000_000_000
"""InternVL2-2B takes 4.4 GB."""
TIGHT_UPLOAD_DISK_BYTES = 200_000_000
"""Ten large pictures."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How an import in a process of its own went: "" for well, else why not. ``cuda``: what PyTorch is built
    for, "" for none."""

    reason: str = ""
    cuda: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The end of what a model's process printed last."""

    path: Path
    written: str
    last_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disk:
    """Room for ``purpose`` at ``path``; None where nothing can be written at all."""

    purpose: str
    path: Path
    free_bytes: int | None
    tight_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is looked at.

    ``devices`` is the driver's error where it does not answer; then ``readiness`` is empty. ``versions`` has
    None for what is not installed; ``probes`` has only what was tried. ``process_names`` names those that
    hold GPU memory. ``servers`` has for each preset whose model is on one what that has, why it cannot be
    asked, or None where it keeps no list. ``proxy_errors`` says why proxies cannot be used. ``port_error`` is
    what ``launcher serve`` would say about ``address``.
    """

    python: str
    versions: Mapping[str, str | None]
    probes: Mapping[str, Probe]
    devices: Devices | DeviceError
    process_names: Mapping[int, str]
    preset_errors: tuple[PresetError, ...]
    readiness: tuple[Readiness, ...]
    disks: tuple[Disk, ...]
    proxy_errors: tuple[LauncherError, ...]
    address: str
    port_error: LauncherError | None
    logs: tuple[Log, ...]
    servers: Mapping[str, LauncherError | tuple[str, ...] | None] = field(default_factory=dict)

    @property
    def has_gpu(self) -> bool:
        """Whether there is a GPU that can be used."""
        return isinstance(self.devices, Devices) and bool(self.devices.gpus)
