"""What models' processes hold of a GPU, as NVML tells it: the manager's ``measure`` on a machine with
GPUs."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.devices import read_gpus
from launcher.errors import DeviceError
from launcher.workers.states import Seen


def seen_on(device: str, pids: Mapping[str, int]) -> Seen | None:
    """What is free of the device, and what each of the processes holds; None where NVML does not know such a
    device.

    A process that NVML does not list, or under another id (in some containers), is left out.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return None
    try:
        gpu = read_gpus()[int(number or 0)]
    except (DeviceError, IndexError):
        return None
    used = {process.pid: process.used_bytes for process in gpu.processes}
    held = {name: used_bytes for name, pid in pids.items() if (used_bytes := used.get(pid)) is not None}
    return Seen(gpu.free_bytes, held)
