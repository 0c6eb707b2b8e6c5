"""GPU and memory facts of this machine, through NVML and the operating system, without torch. Decides
nothing.

NVML knows every GPU of the machine; what CUDA_VISIBLE_DEVICES hides is left out here, and its order is kept,
so that position N in ``Devices.gpus`` is what CUDA calls device N. (CUDA sorts by speed where
CUDA_DEVICE_ORDER is not PCI_BUS_ID and the cards
differ: start a worker with CUDA_VISIBLE_DEVICES set to a GPU's ``uuid`` to be sure.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pynvml

from launcher.errors import DeviceError

_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory on a GPU. ``used_bytes`` is None where the driver does not say (WSL, some
    containers)."""

    pid: int
    used_bytes: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, now. ``cuda_driver`` is the newest CUDA version its driver speaks: (12, 8)."""

    name: str
    uuid: str
    total_bytes: int
    free_bytes: int
    compute_capability: tuple[int, int]
    driver: str
    cuda_driver: tuple[int, int]
    processes: tuple[GpuProcess, ...] = ()


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


def read_gpus(nvml: ModuleType | Any = pynvml) -> tuple[Gpu, ...]:
    """The GPUs that CUDA may see, in its order; none where there is no NVIDIA driver.

    Args:
        nvml: the module that speaks to the driver; another one only to stand for faults that a sound machine
            does not have.

    Raises:
        DeviceError: there is an NVIDIA driver, but it does not answer.
    """
    try:
        with _session(nvml) as present:
            if not present:
                return ()
            driver, cuda = (
                nvml.nvmlSystemGetDriverVersion(),
                _dotted(nvml.nvmlSystemGetCudaDriverVersion_v2()),
            )
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            uuids = [nvml.nvmlDeviceGetUUID(handle) for handle in handles]
            return tuple(_gpu(nvml, handles[index], uuids[index], driver, cuda) for index in _visible(uuids))
    except nvml.NVMLError as error:
        raise DeviceError(
            "The NVIDIA driver does not answer: {reason}",
            "Type nvidia-smi: it should list the GPU. After a driver update the machine must be restarted.",
            reason=error,
        ) from error


@contextmanager
def _session(nvml: ModuleType | Any) -> Iterator[bool]:
    """NVML open; False where no driver is installed or loaded, which is no fault."""
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):
        yield False
        return
    try:
        yield True
    finally:
        nvml.nvmlShutdown()


def _gpu(nvml: ModuleType | Any, handle: object, uuid: str, driver: str, cuda: tuple[int, int]) -> Gpu:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        name=nvml.nvmlDeviceGetName(handle),
        uuid=uuid,
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        compute_capability=nvml.nvmlDeviceGetCudaComputeCapability(handle),
        driver=driver,
        cuda_driver=cuda,
        processes=_processes(nvml, handle),
    )


def _processes(nvml: ModuleType | Any, handle: object) -> tuple[GpuProcess, ...]:
    """Who holds memory, the largest first. A driver that will not say leaves the list empty."""
    found: dict[int, int | None] = {}
    for list_processes in (
        nvml.nvmlDeviceGetComputeRunningProcesses,
        nvml.nvmlDeviceGetGraphicsRunningProcesses,
    ):
        try:
            found |= {process.pid: process.usedGpuMemory for process in list_processes(handle)}
        except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission):
            continue
    processes = (GpuProcess(pid, used) for pid, used in found.items())
    return tuple(sorted(processes, key=lambda process: (-(process.used_bytes or 0), process.pid)))


def _visible(uuids: list[str]) -> list[int]:
    """Positions in NVML's list that CUDA_VISIBLE_DEVICES leaves, in its order; like CUDA, stops at the first
    it cannot find."""
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return list(range(len(uuids)))
    seen: list[int] = []
    for each in (part.strip() for part in wanted.split(",")):
        found = [
            index
            for index, uuid in enumerate(uuids)
            if str(index) == each or (each and uuid.startswith(each))
        ]
        if len(found) != 1 or found[0] in seen:
            break
        seen += found
    return seen


def _dotted(version: int) -> tuple[int, int]:
    """NVML writes 12.8 as 12080."""
    return version // 1000, version % 1000 // 10


def read_ram() -> tuple[int, int]:
    """Bytes of RAM in all, and to be had; where the limit of a control group (a container's) leaves less,
    that."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = _meminfo_available() or total
    for limit, used in _group_limits():
        total = min(total, limit)
        free = max(0, min(free, limit - used))
    return total, free


def _group_limits() -> Iterator[tuple[int, int]]:
    """Limit, and bytes in use that the kernel cannot take back, of each memory control group that this
    process is in, version 1 or 2, its own and those around it."""
    for mount, path, names in _groups():
        for folder in (mount / path, *(mount / path).parents):
            if not folder.is_relative_to(mount):
                break
            limit, used = _number(folder / names.limit), _number(folder / names.used)
            if limit is not None and used is not None:
                yield limit, max(0, used - _reclaimable(folder / "memory.stat", names.reclaimable))


@dataclass(frozen=True, slots=True)
class _GroupFiles:
    """How a version of control groups names what it tells of memory."""

    limit: str
    used: str
    reclaimable: tuple[str, ...]


_VERSION_1 = _GroupFiles(
    "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
)
_VERSION_2 = _GroupFiles("memory.max", "memory.current", ("inactive_file", "active_file", "slab_reclaimable"))


def _groups() -> Iterator[tuple[Path, str, _GroupFiles]]:
    """Where the memory groups are mounted, this process's place below (in a container it may name one that
    is not there: what is around it counts then), and how the files are called."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield _CGROUP, path.lstrip("/"), _VERSION_2
        elif "memory" in controllers.split(","):
            yield _CGROUP / "memory", path.lstrip("/"), _VERSION_1


def _reclaimable(stat: Path, names: tuple[str, ...]) -> int:
    """Bytes of files' pages and the like, which a group gives back when its memory is wanted."""
    try:
        lines = stat.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(value) for name, _, value in (line.partition(" ") for line in lines) if name in names)


def _meminfo_available() -> int | None:
    """Linux's own estimate; None on systems without one."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _number(file: Path) -> int | None:
    """A cgroup's number; None where there is no such file, or no limit ("max")."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
