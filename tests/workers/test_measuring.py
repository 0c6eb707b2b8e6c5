"""What is measured of devices: in order with what is known, and without waiting for a driver that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from launcher.engines.base import EngineFacts
from launcher.errors import EngineError
from launcher.workers.gauge import Gauge
from launcher.workers.gpu_memory import seen_on, spare_ram
from launcher.workers.protocol import Ready
from launcher.workers.states import ModelState, ProcessState, Seen
from tests.workers.stage import Stage, children, question, read, status, wait_for_state, wait_until


def test_a_driver_that_hangs_holds_up_neither_models_nor_the_end(stage: Stage) -> None:
    hangs = threading.Event()

    def measure(_device: str, _pids: Mapping[str, int]) -> Seen | None:
        hangs.wait()
        return None

    models = [stage.model(name, size_bytes=6) for name in ("one", "two")]
    manager = stage.manager(*models, budget_bytes=8, measure=measure)
    for name in ("one", "two", "one"):
        assert read(manager.ask(name, question("/name"))) == name
    begun_s = time.monotonic()
    manager.close()
    assert time.monotonic() - begun_s < 60
    assert not children()
    hangs.set()


def test_a_gauge_asks_again_once_the_driver_has_answered() -> None:
    seen, answers = Seen(1, {}), threading.Semaphore(0)

    def measure(_device: str, _pids: Mapping[str, int]) -> Seen:
        answers.acquire()
        return seen

    gauge = Gauge(measure, limit_s=0.05)
    assert gauge.read("cuda:0", {}) is None
    assert gauge.read("cuda:0", {}) is None, "one reading at a time"
    answers.release(2)
    assert gauge._under_way is not None
    gauge._under_way.join(30)
    assert gauge.read("cuda:0", {}) == seen


def test_what_was_read_while_a_model_was_awake_does_not_count_once_it_sleeps(stage: Stage) -> None:
    """The reading for the second model's load begins while the first is awake, and ends when that has been
    told to sleep."""
    held = {"one": 6, "two": 2, "three": 6}
    reading, slow = threading.Event(), threading.Event()

    def measure(_device: str, pids: Mapping[str, int]) -> Seen:
        now = {name: held[name] for name in pids}
        if "two" in pids and not reading.is_set():
            reading.set()
            slow.wait(30)
        return Seen(10 - sum(now.values()), now)

    stage.gate("asleep")
    stage.gate("never")
    one = stage.model("one", loading="/sleep asleep", size_bytes=6)
    three = stage.model("three", loading="/wait never", size_bytes=6)
    models = [one, stage.model("two", size_bytes=2), three]
    manager = stage.manager(*models, budget_bytes=10, measure=measure)
    manager.ensure_ready("one")
    two = manager.ask("two", question("/stall"))
    assert reading.wait(60)
    manager.ask("three", question("hello"))
    assert status(manager, "one").state is ModelState.STOPPING
    held["one"] = 1
    stage.open("asleep")
    threading.Timer(1.0, slow.set).start()  # time for the one's sleep to overtake the reading, if it can
    wait_for_state(manager, ModelState.LOADING, "three")
    wait_until(manager, lambda: status(manager, "two").running == 1)
    assert dict(manager.device_uses()[0].held_bytes)["one"] == 1
    two.cancel()


def test_a_question_that_waited_for_the_load_is_answered_before_anything_is_measured(stage: Stage) -> None:
    answered, measured = threading.Event(), threading.Event()

    def measure(_device: str, pids: Mapping[str, int]) -> Seen:
        assert answered.wait(60)
        measured.set()
        return Seen(1, dict.fromkeys(pids, 6))

    manager = stage.manager(stage.model("one", size_bytes=6), budget_bytes=8, measure=measure)
    manager._gauge = Gauge(measure, limit_s=60)
    assert read(manager.ask("one", question("hello"))) == "hello "
    assert not measured.is_set()
    answered.set()
    wait_until(manager, lambda: manager.device_uses()[0].budget_bytes == 7)


def test_ensure_ready_counts_no_load_that_was_given_up(stage: Stage) -> None:
    """The word that it is loaded may cross with the decision to stop it; here it comes right after."""
    stage.gate("never")
    manager = stage.manager(stage.model(loading="/wait never"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(manager.ensure_ready, "one")
        wait_until(manager, lambda: status(manager).state is ModelState.LOADING)
        with manager._lock:
            manager.unload("one")
            ready = Ready(EngineFacts("scripted", "cpu", 1, None, 0.0))
            manager._heard("one", ready, manager._processes._of["one"])
        with pytest.raises(EngineError, match="one was stopped before it was loaded"):
            waiting.result(60)


def test_ram_is_told_of_like_a_gpu(stage: Stage) -> None:
    manager = stage.manager(stage.model("one", ram_bytes=1), measure=seen_on)
    manager.ensure_ready("one")
    (pid,) = children()
    seen = seen_on("cpu", {"one": pid, "gone": 0})
    assert seen is not None
    assert seen.held_bytes.keys() == {"one"}
    assert 1 << 20 < seen.held_bytes["one"] < 1 << 30
    assert 0 < seen.free_bytes <= spare_ram() * 2
    assert manager._scheduler._ledger.budget("cpu") > 1 << 30


def test_ram_that_others_have_taken_since_is_seen_before_a_model_is_loaded(stage: Stage) -> None:
    free_bytes = 20

    def measure(_device: str, pids: Mapping[str, int]) -> Seen:
        return Seen(free_bytes, dict.fromkeys(pids, 6), 100)

    models = [stage.model(name, loading="/sleepless", ram_bytes=6) for name in ("one", "two")]
    manager = stage.manager(*models, measure=measure)
    assert read(manager.ask("one", question("/name"))) == "one"
    wait_until(manager, lambda: manager.device_uses()[0].budget_bytes == 26)
    free_bytes = 2
    assert read(manager.ask("two", question("/name"))) == "two"
    assert status(manager, "one").process is ProcessState.NONE
