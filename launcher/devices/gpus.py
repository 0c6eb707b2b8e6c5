"""GPU facts of this machine, through NVML, without torch. Decides nothing.

A card is a whole GPU, or one MIG device where a GPU is cut into those. It is told apart by its ``uuid``,
never by a position: NVML counts by PCI bus and CUDA by speed, so on a machine with different cards the same
number is two cards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pynvml

from launcher.devices.visible import visible
from launcher.errors import DeviceError


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory on a GPU. ``used_bytes`` is None where the driver does not say (WSL, some
    containers)."""

    pid: int
    used_bytes: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card, now.

    Attributes:
        uuid: what CUDA_VISIBLE_DEVICES takes; "GPU-...", or "MIG-..." for a MIG device.
        cuda_driver: the newest CUDA version that its driver speaks: (12, 8).
        number: as nvidia-smi counts: "1"; "0:2" is MIG device 2 of GPU 0.
    """

    name: str
    uuid: str
    total_bytes: int
    free_bytes: int
    compute_capability: tuple[int, int]
    driver: str
    cuda_driver: tuple[int, int]
    processes: tuple[GpuProcess, ...] = ()
    number: str = "0"


@dataclass(frozen=True, slots=True)
class _Handle:
    """A card in NVML's hands. ``whole`` is the GPU that it is, or is cut from."""

    handle: object
    whole: object
    uuid: str
    number: str


def read_gpus(nvml: ModuleType | Any = pynvml) -> tuple[Gpu, ...]:
    """The cards that CUDA may see, in the order in which CUDA_VISIBLE_DEVICES names them, else NVML's; none
    where there is no NVIDIA driver.

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
            driver = nvml.nvmlSystemGetDriverVersion()
            cuda = _dotted(nvml.nvmlSystemGetCudaDriverVersion_v2())
            handles = list(_handles(nvml))
            shown = visible([(one.number, one.uuid) for one in handles])
            return tuple(_gpu(nvml, handles[index], driver, cuda) for index in shown)
    except nvml.NVMLError as error:
        raise DeviceError(
            "The NVIDIA driver does not answer: {reason}",
            "Type nvidia-smi: it should list the GPU. After a driver update the machine must be restarted.",
            reason=error,
        ) from error


def named(gpus: Sequence[Gpu], name: str) -> Gpu | None:
    """The card of this number or uuid, or whose uuid alone begins so; None where there is no such card."""
    found = [gpu for gpu in gpus if name == gpu.number] or [
        gpu for gpu in gpus if name and gpu.uuid.startswith(name)
    ]
    return found[0] if len(found) == 1 else None


def held_bytes(pid: int, nvml: ModuleType | Any = pynvml) -> int | None:
    """What a process holds of the cards that `read_gpus` finds; None where the driver does not tell (WSL,
    some containers), or does not answer."""
    try:
        processes = [process for gpu in read_gpus(nvml) for process in gpu.processes]
    except DeviceError:
        return None
    told = [each.used_bytes for each in processes if each.pid == pid and each.used_bytes is not None]
    return sum(told) if told else None


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


def _handles(nvml: ModuleType | Any) -> Iterator[_Handle]:
    """Every card of the machine, in NVML's order."""
    for number in range(nvml.nvmlDeviceGetCount()):
        whole = nvml.nvmlDeviceGetHandleByIndex(number)
        if not _is_cut(nvml, whole):
            yield _Handle(whole, whole, nvml.nvmlDeviceGetUUID(whole), str(number))
            continue
        for part in range(nvml.nvmlDeviceGetMaxMigDeviceCount(whole)):
            try:
                handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, part)
            except nvml.NVMLError_NotFound:
                continue
            yield _Handle(handle, whole, nvml.nvmlDeviceGetUUID(handle), f"{number}:{part}")


def _is_cut(nvml: ModuleType | Any, whole: object) -> bool:
    """Whether the GPU is cut into MIG devices, and can be used as those alone."""
    try:
        current, _after_a_reset = nvml.nvmlDeviceGetMigMode(whole)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return False
    return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)


def _gpu(nvml: ModuleType | Any, card: _Handle, driver: str, cuda: tuple[int, int]) -> Gpu:
    memory = nvml.nvmlDeviceGetMemoryInfo(card.handle)
    return Gpu(
        name=nvml.nvmlDeviceGetName(card.handle),
        uuid=card.uuid,
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        compute_capability=nvml.nvmlDeviceGetCudaComputeCapability(card.whole),
        driver=driver,
        cuda_driver=cuda,
        processes=_processes(nvml, card.handle),
        number=card.number,
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


def _dotted(version: int) -> tuple[int, int]:
    """NVML writes 12.8 as 12080."""
    return version // 1000, version % 1000 // 10
