"""What the page is told of a card: read by a manager with real processes from a driver that is played, as
this machine may have no card."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from launcher.devices import read_gpus
from launcher.workers import gpu_memory
from launcher.workers.manager import Manager
from launcher.workers.offered import RunnableModel
from launcher.workers.states import DeviceUse, ModelState, Share
from tests.test_devices import GIB, Nvml
from tests.workers.stage import Stage, children, question, read, wait_for_state, wait_until

CARD = "GPU-a000"
OTHERS = 2 * GIB
HELD = 5 * GIB + 7
"""What a loaded model's process is seen to hold: not what its plan says."""


class Card(Nvml):
    """A driver with two cards of 24 GiB, on which each of this process's workers holds HELD; it keeps what it
    was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        if name == "nvmlDeviceGetComputeRunningProcesses":
            return lambda _: [SimpleNamespace(pid=pid, usedGpuMemory=HELD) for pid in children()]
        if name == "nvmlDeviceGetGraphicsRunningProcesses":
            return lambda _: []
        if name == "nvmlDeviceGetMemoryInfo":
            return lambda _: SimpleNamespace(total=24 * GIB, free=24 * GIB - OTHERS - HELD * len(children()))
        return super().__getattr__(name)


def use_of(manager: Manager) -> DeviceUse:
    (use,) = manager.device_uses()
    return use


def test_what_is_measured_and_what_planned(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Card()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpu_memory, "read_gpus", lambda: read_gpus(nvml))
    stage.gate("loaded")
    on_card = [
        RunnableModel(model.name, {CARD: model.specs["cuda:0"]})
        for model in (
            stage.model("one", size_bytes=6 * GIB, loading="/wait loaded"),
            stage.model("two", size_bytes=4 * GIB),
        )
    ]
    manager = Manager(
        on_card,
        gpu_budget_bytes={CARD: 21 * GIB},
        measure=gpu_memory.seen_on,
        total_bytes={CARD: 24 * GIB},
        log_folder=stage.folder / "logs",
        gpu_numbers={CARD: "0"},
    )
    stage.managers.append(manager)
    start = use_of(manager)
    assert (start.total_bytes, start.others_bytes, start.free_bytes) == (24 * GIB, 3 * GIB, 21 * GIB)
    assert nvml.asked == []

    manager.wake("one")
    wait_for_state(manager, ModelState.LOADING)
    assert use_of(manager).shares == {"one": Share(6 * GIB)}
    assert use_of(manager).free_bytes == 15 * GIB
    stage.open("loaded")
    one, two = (Share(HELD, is_measured=True, weight_bytes=size * GIB) for size in (6, 4))
    wait_until(manager, lambda: use_of(manager).shares == {"one": one})
    found = use_of(manager)
    assert (found.others_bytes, found.free_bytes) == (OTHERS, 24 * GIB - OTHERS - HELD)
    assert (found.budget_bytes, found.number) == (24 * GIB - OTHERS, "0")
    assert "nvmlDeviceGetMemoryInfo" in nvml.asked

    assert read(manager.ask("two", question("a"))) == "a "
    wait_until(manager, lambda: use_of(manager).shares == {"one": one, "two": two})
    assert use_of(manager).free_bytes == 24 * GIB - OTHERS - 2 * HELD
