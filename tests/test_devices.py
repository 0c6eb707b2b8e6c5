"""GPU facts. A machine without a driver is had for nothing; drivers and their faults are played by a stand-in
for NVML."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from launcher import devices
from launcher.devices import GpuProcess, read_devices, read_gpus
from launcher.errors import DeviceError

GIB = 2**30


class Nvml:
    """A driver with two cards; ``faults`` says which call fails how. The exceptions are NVML's own."""

    NVMLError = pynvml.NVMLError

    def __init__(self, **faults: int) -> None:
        self.faults = faults
        self.closed = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("NVMLError_"):
            return getattr(pynvml, name)
        answers: dict[str, Any] = {
            "nvmlInit": None,
            "nvmlSystemGetDriverVersion": "570.1",
            "nvmlSystemGetCudaDriverVersion_v2": 12080,
            "nvmlDeviceGetCount": 2,
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=8 * GIB, free=7 * GIB),
            "nvmlDeviceGetCudaComputeCapability": (8, 6),
            "nvmlDeviceGetComputeRunningProcesses": [
                SimpleNamespace(pid=7, usedGpuMemory=100),
                SimpleNamespace(pid=8, usedGpuMemory=GIB),
            ],
            "nvmlDeviceGetGraphicsRunningProcesses": [SimpleNamespace(pid=9, usedGpuMemory=None)],
        }
        if name in self.faults:
            code = self.faults[name]

            def fail(*_: object) -> None:
                raise pynvml.NVMLError(code)

            return fail
        if name == "nvmlShutdown":
            return self._shutdown
        if name == "nvmlDeviceGetHandleByIndex":
            return lambda index: index
        if name == "nvmlDeviceGetUUID":
            return lambda handle: f"GPU-{'ab'[handle]}000"
        if name == "nvmlDeviceGetName":
            return lambda handle: f"Card {handle}"
        return lambda *_: answers[name]

    def _shutdown(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def _all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_facts_of_every_card() -> None:
    nvml = Nvml()
    first, second = read_gpus(nvml)
    assert (first.name, first.uuid, second.uuid) == ("Card 0", "GPU-a000", "GPU-b000")
    assert (first.total_bytes, first.free_bytes, first.compute_capability) == (8 * GIB, 7 * GIB, (8, 6))
    assert (first.driver, first.cuda_driver) == ("570.1", (12, 8))
    assert first.processes == (GpuProcess(8, GIB), GpuProcess(7, 100), GpuProcess(9, None))
    assert nvml.closed == 1


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_no_driver_is_no_fault(code: int) -> None:
    assert read_gpus(Nvml(nvmlInit=code)) == ()


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="this machine has an NVIDIA driver")
def test_a_machine_without_a_driver() -> None:
    assert read_gpus() == ()


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("nvmlInit", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
        ("nvmlInit", pynvml.NVML_ERROR_NO_PERMISSION),
        ("nvmlDeviceGetHandleByIndex", pynvml.NVML_ERROR_GPU_IS_LOST),
        ("nvmlDeviceGetMemoryInfo", pynvml.NVML_ERROR_UNKNOWN),
        ("nvmlDeviceGetComputeRunningProcesses", pynvml.NVML_ERROR_UNKNOWN),
    ],
)
def test_a_driver_that_does_not_answer(call: str, code: int) -> None:
    nvml = Nvml(**{call: code})
    with pytest.raises(DeviceError, match="The NVIDIA driver does not answer: ") as caught:
        read_gpus(nvml)
    assert "nvidia-smi" in caught.value.hint
    assert nvml.closed == (0 if call == "nvmlInit" else 1)


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_NO_PERMISSION])
def test_a_driver_that_will_not_name_processes(code: int) -> None:
    (first, _) = read_gpus(
        Nvml(nvmlDeviceGetComputeRunningProcesses=code, nvmlDeviceGetGraphicsRunningProcesses=code)
    )
    assert first.processes == ()


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1,0", ["Card 1", "Card 0"]),
        ("1", ["Card 1"]),
        ("", []),
        ("-1", []),
        ("0,7,1", ["Card 0"]),
        ("GPU-b000", ["Card 1"]),
        ("GPU-a", ["Card 0"]),
        ("GPU-", []),
        ("1,1", ["Card 1"]),
    ],
)
def test_what_cuda_may_not_see_is_left_out(
    visible: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.name for gpu in read_gpus(Nvml())] == names


def test_memory_of_this_machine() -> None:
    found = read_devices()
    assert 0 < found.ram_free_bytes <= found.ram_total_bytes
    assert found.ram_total_bytes <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("limit", "used", "total", "free"),
    [
        ("1000000", "400000", 1_000_000, 600_000),
        ("1000000", "2000000", 1_000_000, 0),
        ("max", "5", None, None),
    ],
)
def test_a_container_s_limit_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    used: str,
    total: int | None,
    free: int | None,
) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n", encoding="ascii")
    (tmp_path / "memory.current").write_text(used + "\n", encoding="ascii")
    monkeypatch.setattr(devices, "_CGROUP", tmp_path)
    found = read_devices()
    if total is not None:
        assert (found.ram_total_bytes, found.ram_free_bytes) == (total, free)
    else:
        assert found.ram_total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
