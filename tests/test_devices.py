"""GPU facts. A machine without a driver is had for nothing; drivers and their faults are played by a stand-in
for NVML."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from launcher.devices import Gpu, GpuProcess, held_bytes, named, ram, read_devices, read_gpus, read_ram
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
            "nvmlDeviceGetMigMode": (0, 0),
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


def test_what_a_process_holds_is_told_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held_bytes(8, Nvml()) == 2 * GIB  # on both cards
    assert held_bytes(9, Nvml()) is None
    assert held_bytes(10, Nvml()) is None
    assert held_bytes(8, Nvml(nvmlDeviceGetMemoryInfo=pynvml.NVML_ERROR_UNKNOWN)) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b000")
    assert held_bytes(8, Nvml()) == GIB


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


class CutNvml(Nvml):
    """The same machine, where card 0 is cut into MIG devices 0 and 2."""

    def __getattr__(self, name: str) -> Any:
        if name == "nvmlDeviceGetMigMode":
            return lambda handle: (int(handle == 0), 0)
        if name == "nvmlDeviceGetMaxMigDeviceCount":
            return lambda handle: 7
        if name == "nvmlDeviceGetMigDeviceHandleByIndex":
            return self._part
        if name == "nvmlDeviceGetUUID":
            return lambda handle: f"MIG-{handle[1]}000" if isinstance(handle, tuple) else "GPU-b000"
        if name == "nvmlDeviceGetCudaComputeCapability":
            return lambda handle: (9, handle)  # told of a whole GPU alone
        return super().__getattr__(name)

    def _part(self, whole: int, index: int) -> tuple[int, int]:
        if index not in (0, 2):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return whole, index


def test_a_gpu_that_is_cut_is_its_parts() -> None:
    found = read_gpus(CutNvml())
    assert [(gpu.number, gpu.uuid) for gpu in found] == [
        ("0:0", "MIG-0000"),
        ("0:2", "MIG-2000"),
        ("1", "GPU-b000"),
    ]
    assert [gpu.compute_capability for gpu in found] == [(9, 0), (9, 0), (9, 1)]


@pytest.mark.parametrize(
    ("visible_devices", "numbers"),
    [("MIG-2000", ["0:2"]), ("1,MIG-2", ["1", "0:2"]), ("0,1", ["0:0", "1"]), ("MIG-", []), ("2", [])],
)
def test_parts_of_a_gpu_are_named_too(
    visible_devices: str, numbers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible_devices)
    assert [gpu.number for gpu in read_gpus(CutNvml())] == numbers


def test_a_card_of_an_older_driver_that_knows_no_parts() -> None:
    found = read_gpus(Nvml(nvmlDeviceGetMigMode=pynvml.NVML_ERROR_NOT_SUPPORTED))
    assert [gpu.number for gpu in found] == ["0", "1"]


def card(number: str, uuid: str) -> Gpu:
    return Gpu("Card", uuid, 8 * GIB, 7 * GIB, (8, 6), "570.1", (12, 8), number=number)


@pytest.mark.parametrize(
    ("name", "number"),
    [("1", "1"), ("0:2", "0:2"), ("GPU-b0", "1"), ("GPU-", None), ("2", None), ("0", None), ("", None)],
)
def test_a_card_is_found_by_its_number_or_uuid(name: str, number: str | None) -> None:
    cards = (card("0:2", "MIG-a000"), card("1", "GPU-b000"), card("3", "GPU-c000"))
    found = named(cards, name)
    assert (found and found.number) == number


def test_memory_of_this_machine() -> None:
    found = read_devices()
    assert 0 < found.ram_free_bytes <= found.ram_total_bytes
    assert found.ram_total_bytes <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


MIB = 2**20
VERSIONS = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"),
    2: ("memory.max", "memory.current", "inactive_file", "active_file"),
}


class Groups:
    """Memory control groups of one version, as the kernel shows them, and this process in one of them."""

    def __init__(self, root: Path, version: int, own: str) -> None:
        self.mount = root / "cgroup" / ("memory" if version == 1 else "")
        self.names = VERSIONS[version]
        self.mount.mkdir(parents=True)
        lines = ["9:name=systemd:/", f"4:cpu,memory:{own}", "0::/"] if version == 1 else [f"0::{own}"]
        (root / "own").write_text("\n".join(lines) + "\n", encoding="ascii")

    def group(self, path: str, limit: object, used: int, inactive: int = 0, active: int = 0) -> None:
        folder = self.mount / path
        folder.mkdir(parents=True, exist_ok=True)
        limit_name, used_name, inactive_name, active_name = self.names
        (folder / limit_name).write_text(f"{limit}\n", encoding="ascii")
        (folder / used_name).write_text(f"{used}\n", encoding="ascii")
        stat = f"cache 7\nmapped_file 9\n{inactive_name} {inactive}\n{active_name} {active}\nanon 5\n"
        (folder / "memory.stat").write_text(stat, encoding="ascii")


@pytest.fixture(params=VERSIONS)
def groups(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Groups]:
    monkeypatch.setattr(ram, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(ram, "_OWN_GROUPS", tmp_path / "own")
    return lambda own: Groups(tmp_path, request.param, own)


def test_a_container_s_limit_counts(groups: Callable[[str], Groups]) -> None:
    groups("/").group("", 100 * MIB, used=40 * MIB)
    assert read_ram() == (100 * MIB, 60 * MIB)


def test_what_a_container_has_read_of_files_is_not_used_up(groups: Callable[[str], Groups]) -> None:
    """Checkpoints pass through the page cache, which counts as used until memory is wanted."""
    groups("/").group("", 100 * MIB, used=95 * MIB, inactive=50 * MIB, active=20 * MIB)
    assert read_ram() == (100 * MIB, 75 * MIB)


def test_a_container_that_is_full_has_nothing_to_give(groups: Callable[[str], Groups]) -> None:
    groups("/").group("", 100 * MIB, used=130 * MIB, inactive=5 * MIB)
    assert read_ram() == (100 * MIB, 0)


def test_a_group_further_out_may_be_the_narrower(groups: Callable[[str], Groups]) -> None:
    here = groups("/slice/service")
    here.group("slice/service", 200 * MIB, used=10 * MIB)
    here.group("slice", 300 * MIB, used=290 * MIB)
    assert read_ram() == (200 * MIB, 10 * MIB)


def test_the_path_of_a_group_may_be_the_hosts(groups: Callable[[str], Groups]) -> None:
    """A container without a namespace of its own is told a path that does not exist inside it."""
    groups("/docker/0a1b2c").group("", 100 * MIB, used=40 * MIB)
    assert read_ram() == (100 * MIB, 60 * MIB)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_a_group_without_a_limit_leaves_the_machine_s(groups: Callable[[str], Groups], limit: str) -> None:
    groups("/").group("", limit, used=5)
    total, free = read_ram()
    assert total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < free <= total
