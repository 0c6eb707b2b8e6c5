"""What the list of presets says of one: where it stands, what it takes of the disk and would take of the
memory, and whether that fits."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.checkpoints import Located, locate, weight_bytes
from launcher.cli.plan import planned_for
from launcher.devices import Devices
from launcher.errors import LauncherError, MemoryPlanError
from launcher.memory import Card
from launcher.readiness import InstalledEngines, Readiness, ReadyState


@dataclass(frozen=True, slots=True)
class Standing:
    """``disk_bytes`` of its weights, None where they are not here; ``memory_bytes`` of its device at the
    most, None where that is not known or too little to count; ``too_large`` for the roomiest GPU."""

    readiness: Readiness
    disk_bytes: int | None = None
    memory_bytes: int | None = None
    too_large: bool = False


def standing(readiness: Readiness, devices: Devices, installed: InstalledEngines) -> Standing:
    """A preset that is not here is planned by its published sizes, where there is a GPU to plan for."""
    disk_bytes = _disk_bytes(readiness)
    if isinstance(readiness.reason, MemoryPlanError):
        return Standing(readiness, disk_bytes, too_large=True)
    if readiness.plan is not None:
        return Standing(readiness, disk_bytes, readiness.plan.peak_bytes)
    if readiness.state is not ReadyState.NEEDS_DOWNLOAD or not devices.gpus:
        return Standing(readiness, disk_bytes, readiness.size_bytes)
    gpu = max(devices.gpus, key=lambda each: each.free_bytes)
    card = Card(gpu.total_bytes, gpu.free_bytes)
    planned = planned_for(readiness.preset, card, gpu.compute_capability, installed)
    memory_bytes = planned.plan.peak_bytes if planned.plan else None
    return Standing(readiness, disk_bytes, memory_bytes, isinstance(planned.problem, MemoryPlanError))


def _disk_bytes(readiness: Readiness) -> int | None:
    found = locate(readiness.preset)
    if not isinstance(found, Located):
        return None
    try:
        return weight_bytes(found.folder)
    except LauncherError:  # which the list tells of
        return None


def on_disk(size_bytes: int) -> str:
    """Bytes as hubs and disks count them."""
    return f"{size_bytes / 10**9:.1f} GB" if size_bytes >= 10**8 else f"{size_bytes / 10**6:.1f} MB"
