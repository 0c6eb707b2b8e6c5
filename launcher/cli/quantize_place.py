"""Where ``launcher quantize`` works and writes: a device with the memory and a folder with the room, looked
for before anything is read."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.commands_here import command
from launcher.devices import Devices
from launcher.errors import CheckpointError, DeviceError
from launcher.memory import GIB
from launcher.presets import Preset
from launcher.readiness import gpus_for, installed_engines

if TYPE_CHECKING:
    from launcher.quantizing.needs import Needs


@dataclass(frozen=True, slots=True)
class Device:
    """Where it is computed: torch's name, and what people call it."""

    name: str
    shown: str


def device_for(preset: Preset, taken: Needs, devices: Devices) -> Device:
    """A card with room for one layer at work, which alone this process then sees; else the CPU.

    Raises:
        DeviceError: neither has the memory.
    """
    free_ram = devices.ram_free_bytes
    gpus = gpus_for(preset, devices) if devices.gpus else []
    for gpu in gpus:
        has_room = gpu.free_bytes >= taken.device_bytes and free_ram >= taken.beside_gpu_bytes
        if has_room and installed_engines().torch_cuda:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
            return Device("cuda:0", f"GPU {gpu.number}")
    if free_ram >= taken.cpu_bytes:
        return Device("cpu", "the CPU")
    raise DeviceError(
        "Quantising {name} takes {needed:.1f} GiB of memory on the CPU, and {free:.1f} of {total:.1f} GiB are"
        " free; on a GPU {gpu_needed:.1f} GiB of its memory, and {gpu_free} GiB are free",
        "Close other programs, or take fewer --samples.",
        name=preset.name,
        needed=taken.cpu_bytes / GIB,
        free=free_ram / GIB,
        total=devices.ram_total_bytes / GIB,
        gpu_needed=taken.device_bytes / GIB,
        gpu_free=f"{max((gpu.free_bytes for gpu in gpus), default=0) / GIB:.1f}",
    )


def check_free(target: Path) -> None:
    """Raises CheckpointError where something of the new checkpoint's name is there already, or nothing can be
    written beside it."""
    if os.path.lexists(target):
        raise CheckpointError(
            "{folder} is there already",
            "Name another folder with --to, or delete that one.",
            folder=target,
        )
    place = _nearest(target)
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise CheckpointError(
            "Nothing can be written in {place}, where {folder} is to be",
            "Name another folder with --to.",
            place=place,
            folder=target,
        )


def check_room(target: Path, taken: Needs, preset: Preset) -> None:
    """Raises CheckpointError where the disk has not enough room for what is still to come."""
    from launcher.quantizing.places import finished_bytes

    needed, free = taken.result_bytes - finished_bytes(target), shutil.disk_usage(_nearest(target)).free
    if needed > free:
        raise CheckpointError(
            "{name} needs {needed:.1f} MB more in {folder}, and {free:.1f} MB are free there",
            "Make room, then type again: {again}  (or choose a folder on another disk with --to)",
            name=preset.name,
            needed=needed / 10**6,
            folder=target,
            free=free / 10**6,
            again=command("quantize", preset.name, presets=preset.given),
        )


def _nearest(target: Path) -> Path:
    """The first above it that is there."""
    return next(each for each in target.parents if os.path.lexists(each))
