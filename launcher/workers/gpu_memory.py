"""What models' processes hold of a GPU, as NVML tells it, or of RAM, as the kernel does: the manager's
``measure``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from launcher.devices import read_gpus, read_ram
from launcher.errors import DeviceError
from launcher.workers.states import Seen

RAM_RESERVE_BYTES = 1 << 30
"""What models and processes that stand by leave of RAM: for the page, its pictures, other programs."""

_OWN_RAM = ("RssAnon", "RssShmem", "VmSwap")
"""What a process holds of RAM by itself; the rest of it are files' pages, which the kernel takes back."""


def seen_on(device: str, pids: Mapping[str, int]) -> Seen | None:
    """What is free of the device ("cpu", or a card's uuid), and what each of the processes holds; None where
    nothing tells of such a device.

    A process that NVML does not list, or under another id (in some containers), is left out.
    """
    if device == "cpu":
        held_of_ram = {name: _ram_of(pid) for name, pid in pids.items()}
        held = {name: held for name, held in held_of_ram.items() if held is not None}
        return Seen(spare_ram(), held, read_ram()[0])
    try:
        gpu = next((gpu for gpu in read_gpus() if gpu.uuid == device), None)
    except DeviceError:
        return None
    if gpu is None:
        return None
    used = {process.pid: process.used_bytes for process in gpu.processes}
    held = {name: used_bytes for name, pid in pids.items() if (used_bytes := used.get(pid)) is not None}
    return Seen(gpu.free_bytes, held, gpu.total_bytes)


def spare_ram() -> int:
    """What may be taken of RAM now."""
    _, free_bytes = read_ram()
    return max(0, free_bytes - RAM_RESERVE_BYTES)


def _ram_of(pid: int) -> int | None:
    """None where the kernel does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = [int(fields[name].split()[0]) * 1024 for name in _OWN_RAM if name in fields]
    return sum(found) if found else None
