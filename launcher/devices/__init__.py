"""GPU and memory facts of this machine, through NVML and the operating system, without torch. Decides
nothing."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.devices.gpus import Gpu, GpuProcess, held_bytes, named, read_gpus
from launcher.devices.ram import read_ram
from launcher.devices.visible import VARIABLE as VISIBLE_DEVICES

__all__ = [
    "VISIBLE_DEVICES",
    "Devices",
    "Gpu",
    "GpuProcess",
    "held_bytes",
    "named",
    "read_devices",
    "read_gpus",
    "read_ram",
]


@dataclass(frozen=True, slots=True)
class Devices:
    """What this machine can run models on. ``ram_free_bytes`` is what can be taken without swapping."""

    gpus: tuple[Gpu, ...]
    ram_total_bytes: int
    ram_free_bytes: int


def read_devices() -> Devices:
    """All devices, as they are now.

    Raises:
        DeviceError: there is an NVIDIA driver, but it does not answer.
    """
    total, free = read_ram()
    return Devices(read_gpus(), total, free)
