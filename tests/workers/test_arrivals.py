"""A model that comes while the launcher runs, with a real manager, real processes and scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.errors import CheckpointError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.arrivals import Arrivals
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from launcher.workers.states import ModelState
from tests.ui.scripted_page import scripted
from tests.workers.stage import question, read, status, wait_for_state

GIB = 1 << 30
ABSENT = CheckpointError("{name} is not on this machine.", name="later")


@pytest.fixture
def here(tmp_path: Path) -> Readiness:
    return scripted("later", tmp_path, size_bytes=5 * GIB)


@pytest.fixture
def models(tmp_path: Path, here: Readiness) -> list[Readiness]:
    absent = Readiness(here.preset, ReadyState.NEEDS_DOWNLOAD, reason=ABSENT)
    return [scripted("one", tmp_path, size_bytes=5 * GIB), absent]


@pytest.fixture
def manager(models: list[Readiness], tmp_path: Path) -> Iterator[Manager]:
    budgets = {"cuda:0": 8 * GIB}
    with Manager(runnable_models(models), gpu_budget_bytes=budgets, log_folder=tmp_path / "logs") as manager:
        yield manager


def test_it_answers_and_takes_turns_with_the_others(
    manager: Manager, models: list[Readiness], here: Readiness
) -> None:
    arrivals = Arrivals(models, manager, {"cuda:0": 8 * GIB}, lambda _: here)
    assert list(arrivals.ready) == ["one"]
    assert read(manager.ask("one", question("a"))) == "a "
    with pytest.raises(CheckpointError, match="not on this machine"):
        read(manager.ask("later", question("b")))
    version = manager.wait_for_change(0, timeout_s=60)
    assert arrivals.came("later") is here
    assert manager.wait_for_change(version, timeout_s=60) != version
    assert status(manager, "later").state is ModelState.ASLEEP
    assert status(manager, "one").state is ModelState.READY
    assert read(manager.ask("later", question("b"))) == "b "
    wait_for_state(manager, ModelState.ASLEEP, "one")
    assert list(arrivals.ready) == ["one", "later"]
    assert arrivals.came("later") is here  # asked once more, nothing changes
    assert status(manager, "later").state is ModelState.READY
    assert read(manager.ask("one", question("c"))) == "c "


def test_one_that_cannot_run_here_is_not_offered(manager: Manager, models: list[Readiness]) -> None:
    broken = replace(models[1], state=ReadyState.BROKEN)
    arrivals = Arrivals(models, manager, {}, lambda _: broken)
    assert arrivals.came("later") is broken
    assert status(manager, "later").state is ModelState.UNAVAILABLE
    assert list(arrivals.ready) == ["one"]
