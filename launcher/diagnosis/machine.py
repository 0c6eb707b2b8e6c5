"""The driver and the GPUs, disks, proxies, the port, and what models' processes printed last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from launcher.devices import Devices, Gpu
from launcher.diagnosis.facts import Facts
from launcher.diagnosis.findings import Finding, Level
from launcher.errors import DeviceError
from launcher.gpu_support import check_gpu

TIGHT_GPU_BYTES = 8 * 2**30
"""The shipped presets' budget."""

_GIB, _GB = 2**30, 1e9
_TROUBLE = ("Traceback (most recent call last)", "out of memory", "Segmentation fault", "CUDA error")


def check_driver(facts: Facts) -> Iterator[Finding]:
    """Whether the driver answers, and whether it knows a GPU."""
    if isinstance(facts.devices, DeviceError):
        yield Finding(
            "driver", Level.FAULT, facts.devices.message, facts.devices.hint, facts.devices.exit_code
        )
    elif facts.devices.gpus:
        gpu = facts.devices.gpus[0]
        yield Finding(
            "driver", Level.OK, f"NVIDIA {gpu.driver}, speaks CUDA {gpu.cuda_driver[0]}.{gpu.cuda_driver[1]}"
        )
    else:
        mend = (
            "Nothing need be done for the built-in models;"
            " the others want a machine where nvidia-smi lists a GPU."
        )
        yield Finding("driver", Level.WARNING, "no NVIDIA GPU that can be used: models run on the CPU", mend)


def check_gpus(facts: Facts) -> Iterator[Finding]:
    """Of each GPU: whether it is new enough, how much is free, and who holds the rest."""
    gpus = facts.devices.gpus if isinstance(facts.devices, Devices) else ()
    for gpu in gpus:
        yield _gpu(f"gpu {gpu.number}", gpu, facts.process_names)


def _gpu(subject: str, gpu: Gpu, names: Mapping[int, str]) -> Finding:
    text = f"{gpu.name}: {gpu.free_bytes / _GIB:.1f} of {gpu.total_bytes / _GIB:.1f} GiB free"
    holders = [_holder(process.pid, process.used_bytes, names) for process in gpu.processes]
    if holders:
        text += f"; held by {', '.join(holders)}"
    try:
        check_gpu(gpu.name, gpu.compute_capability, gpu.cuda_driver)
    except DeviceError as error:
        return Finding(subject, Level.WARNING, f"{text}. {error.message}", error.hint)
    if gpu.free_bytes < min(TIGHT_GPU_BYTES, gpu.total_bytes * 3 // 4):
        mend = "Stop programs that you do not need; nvidia-smi lists them. For what would fit: launcher plan"
        return Finding(subject, Level.WARNING, text, mend)
    return Finding(subject, Level.OK, text)


def _holder(pid: int, used_bytes: int | None, names: Mapping[int, str]) -> str:
    used = "" if used_bytes is None else f" {used_bytes / _GIB:.1f} GiB"
    return f"{names.get(pid, 'a program')} (process {pid}){used}"


def check_disks(facts: Facts) -> Iterator[Finding]:
    """Whether there is room where the launcher writes."""
    for disk in facts.disks:
        subject, path = f"disk for {disk.purpose}", disk.path
        if disk.free_bytes is None:
            yield Finding(
                subject,
                Level.FAULT,
                f"{path} cannot be written",
                "Set TMPDIR to a folder that can be written.",
                1,
            )
        elif disk.free_bytes < disk.tight_bytes:
            mend = f"Make room: {disk.tight_bytes / _GB:.1f} GB should be free."
            yield Finding(subject, Level.WARNING, f"{path}: only {disk.free_bytes / _GB:.1f} GB free", mend)
        else:
            yield Finding(subject, Level.OK, f"{path}: {disk.free_bytes / _GB:.1f} GB free")


def check_proxies(facts: Facts) -> Iterator[Finding]:
    """The page needs none; ``launcher pull`` does."""
    for error in facts.proxy_errors:
        yield Finding("proxy", Level.WARNING, error.message, error.hint)


def check_port(facts: Facts) -> Iterator[Finding]:
    """Whether the page's address is free."""
    error = facts.port_error
    if error is None:
        yield Finding("port", Level.OK, f"{facts.address} is free")
    else:
        yield Finding("port", Level.FAULT, error.message, error.hint, error.exit_code)


def check_logs(facts: Facts) -> Iterator[Finding]:
    """Whether models' processes ended well."""
    for log in facts.logs:
        text = f"{log.path.name}, written {log.written}: {log.last_lines[-1] if log.last_lines else 'empty'}"
        if any(sign in line for sign in _TROUBLE for line in log.last_lines):
            yield Finding(
                "log", Level.WARNING, text, f"The model's process failed then. Type: less {log.path}"
            )
        else:
            yield Finding("log", Level.OK, text)
