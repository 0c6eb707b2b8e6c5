"""A GPU that falls off the bus in the middle of the work: what is on it ends with a sentence, the rest goes
on."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pynvml
import pytest

from launcher import devices
from launcher.errors import EngineBroken, EngineError
from launcher.workers.gpu_memory import seen_on
from launcher.workers.states import ModelState, Seen
from tests.workers.stage import Stage, children, question, read, status

GIB = 1 << 30


@pytest.mark.parametrize(
    "words", ["CUDA error: unspecified launch failure", "CUDA driver error: unknown error", "cuda error: 719"]
)
def test_whoever_asks_is_told_and_others_are_answered(stage: Stage, words: str) -> None:
    """NVML tells nothing any more from the moment on; the next load finds no GPU."""
    lost = False

    def measure(device: str, pids: Mapping[str, int]) -> Seen | None:
        return None if lost else Seen(8 * GIB, dict.fromkeys(pids, 1))

    no_gpu = "/raise CUDA error: no CUDA-capable device is detected"
    models = (
        stage.model("one", size_bytes=4),
        stage.model("two", loading=no_gpu, size_bytes=4),
        stage.model("three"),
    )
    manager = stage.manager(*models, budget_bytes=8, measure=measure)
    manager.ensure_ready("one")
    manager.ensure_ready("three")
    lost = True
    with pytest.raises(EngineBroken, match="The model lost its GPU while answering: RuntimeError: "):
        list(manager.ask("one", question(f"/raise {words}")))
    for _ in range(2):  # it is tried again, and again in vain
        with pytest.raises(EngineError, match="two failed while loading: RuntimeError: CUDA error: no CUDA"):
            list(manager.ask("two", question("hello"), retry=True))
    assert status(manager, "two").state is ModelState.FAILED
    assert read(manager.ask("three", question("still here"))) == "still here "
    manager.close()
    assert not children()


@pytest.mark.parametrize(
    "call",
    [
        "nvmlInit",
        "nvmlDeviceGetCount",
        "nvmlDeviceGetHandleByIndex",
        "nvmlDeviceGetUUID",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetComputeRunningProcesses",
        "nvmlShutdown",
    ],
)
def test_a_driver_that_lost_its_gpu_tells_nothing(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    class Nvml:
        """The driver of one card, of which one call fails as it does once the card is gone."""

        def __getattr__(self, name: str) -> object:
            if name == call:

                def fails(*_: object) -> None:
                    raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

                return fails
            plain = {
                "nvmlDeviceGetCount": 1,
                "nvmlDeviceGetMigMode": (0, 0),
                "nvmlDeviceGetUUID": "GPU-a",
                "nvmlSystemGetCudaDriverVersion_v2": 12080,
                "nvmlDeviceGetMemoryInfo": pynvml.c_nvmlMemory_t(),
                "nvmlDeviceGetComputeRunningProcesses": [],
                "nvmlDeviceGetGraphicsRunningProcesses": [],
            }
            if name.startswith("nvml"):
                return lambda *_: plain.get(name, "x")
            return getattr(pynvml, name)

    real = devices.read_gpus
    monkeypatch.setattr("launcher.workers.gpu_memory.read_gpus", lambda: real(Nvml()))
    assert seen_on("GPU-a", {"one": 1}) is None


def test_the_clock_of_the_machine_decides_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is moved by a year and back while models load, answer and unload."""
    moved = [365 * 86400.0, -365 * 86400.0, 0.0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + moved[0])
    manager = stage.manager(stage.model("one", keep_alive_s=604_800), stage.model("two"))
    for by_s in moved:
        moved[0] = by_s
        assert read(manager.ask("one", question("a"))) == "a "
        assert read(manager.ask("two", question("b"))) == "b "
        assert status(manager, "one").state is ModelState.READY
        assert 0 <= status(manager, "one").since_s < 3600
