"""Wishes without a question, of people who look at tabs: whose they are, what goes before them, what they may
not do. Real child processes; loads wait at gates."""

from __future__ import annotations

import pytest

from launcher.errors import EngineError
from launcher.workers.manager import Manager
from launcher.workers.offered import RunnableModel
from launcher.workers.states import ModelState, ProcessState
from tests.workers.stage import Stage, children, gone, question, read, status, wait_for_state, wait_until

LOADING = "/loaded loads\n/wait {gate}"


def large(stage: Stage, *names: str, gate: str = "", **keys: int) -> list[RunnableModel]:
    """Models of which a device holds one; with a gate their loads wait there."""
    loading = LOADING.format(gate=gate) if gate else "/loaded loads"
    return [stage.model(name, loading=loading, size_bytes=6, **keys) for name in names]


def states(manager: Manager) -> dict[str, ModelState]:
    return {one.name: one.state for one in manager.statuses()}


def test_clicking_through_tabs_loads_the_last_beside_what_was_under_way(stage: Stage) -> None:
    """That is cut short, as nobody wishes for it any more: its gate never opens."""
    stage.gate("never")
    stage.gate("begun")
    under_way = stage.model("a", loading="/loaded loads\n/open begun\n/wait never", size_bytes=6)
    manager = stage.manager(under_way, *large(stage, "b", "c", "d"), budget_bytes=8)
    manager.wake("a", page="mine")
    stage.reached("begun")
    for name in ("b", "c", "d"):
        manager.wake(name, page="mine")
        assert {one for one, state in states(manager).items() if state is ModelState.WAITING} == {name}
    wait_for_state(manager, ModelState.READY, "d")
    assert stage.loaded() == ["a", "d"]
    assert len(children()) == 1


def test_a_load_that_another_page_wishes_for_is_finished(stage: Stage) -> None:
    stage.gate("loading")
    manager = stage.manager(*large(stage, "a", gate="loading"), *large(stage, "b"), budget_bytes=8)
    manager.wake("a", page="mine")
    manager.wake("a", page="yours")
    manager.wake("b", page="mine")
    stage.open("loading")
    wait_for_state(manager, ModelState.READY, "b")
    assert stage.loaded() == ["a", "b"]
    assert status(manager, "a").process is ProcessState.SLEEPING


def test_a_question_cuts_short_a_load_that_is_only_wished_for(stage: Stage) -> None:
    stage.gate("never")
    manager = stage.manager(*large(stage, "a", gate="never"), *large(stage, "b"), budget_bytes=8)
    manager.wake("a", page="mine")
    assert read(manager.ask("b", question("/name"))) == "b"
    assert status(manager, "a").state is not ModelState.READY


def test_a_load_that_is_nearly_done_is_finished_for_whoever_waits(stage: Stage) -> None:
    stage.gate("end")
    nearly = stage.model("a", loading="/loaded loads\n/progress first 0.95\n/wait end", size_bytes=6)
    manager = stage.manager(nearly, *large(stage, "b"), budget_bytes=8)
    manager.wake("a", page="mine")
    wait_until(manager, lambda: status(manager, "a").fraction > 0.9)
    answer = manager.ask("b", question("/name"))
    assert states(manager) == {"a": ModelState.LOADING, "b": ModelState.WAITING}
    stage.open("end")
    assert read(answer) == "b"
    assert status(manager, "a").process is ProcessState.SLEEPING


def test_a_load_with_a_question_of_its_own_is_finished_for_whoever_waits(stage: Stage) -> None:
    stage.gate("end")
    manager = stage.manager(*large(stage, "a", gate="end"), *large(stage, "b"), budget_bytes=8)
    first = manager.ask("a", question("/name"))
    second = manager.ask("b", question("/name"))
    stage.open("end")
    assert [read(first), read(second)] == ["a", "b"]


def test_a_closed_page_wishes_for_nothing(stage: Stage) -> None:
    stage.gate("loading")
    manager = stage.manager(*large(stage, "a", gate="loading"), *large(stage, "b"), budget_bytes=8)
    answer = manager.ask("a", question("/name"))
    manager.wake("b", page="mine")
    assert status(manager, "b").state is ModelState.WAITING
    manager.leave("mine")
    assert status(manager, "b").state is ModelState.ASLEEP
    stage.open("loading")
    assert read(answer) == "a"
    assert stage.loaded() == ["a"]


def test_a_wish_does_not_interrupt_a_model_that_people_talk_to(stage: Stage) -> None:
    manager = stage.manager(*large(stage, "a", "b"), budget_bytes=8)
    talk = manager.ask("a", question("/stall"))
    manager.wake("b", page="mine")
    assert read(manager.ask("a", question("/name"))) == "a"
    assert states(manager) == {"a": ModelState.READY, "b": ModelState.WAITING}
    talk.cancel()
    wait_for_state(manager, ModelState.READY, "b")


def test_opening_a_page_sends_nobody_away(stage: Stage) -> None:
    manager = stage.manager(*large(stage, "a", "b"), budget_bytes=8)
    manager.ensure_ready("b")
    manager.wake("a", page="mine", only_if_free=True)
    assert states(manager) == {"a": ModelState.ASLEEP, "b": ModelState.READY}
    manager.unload("b")
    wait_for_state(manager, ModelState.ASLEEP, "b")
    manager.wake("a", page="mine", only_if_free=True)
    wait_for_state(manager, ModelState.READY, "a")


def test_opening_a_page_does_not_try_a_failed_model_again_and_selecting_its_tab_does(stage: Stage) -> None:
    manager = stage.manager(stage.model("one", loading="/loaded loads\n/fail no weights"))
    manager.wake("one", page="mine", only_if_free=True)
    wait_for_state(manager, ModelState.FAILED)
    manager.wake("one", page="mine", only_if_free=True)
    assert status(manager).state is ModelState.FAILED
    manager.wake("one", page="mine")
    assert status(manager).state is ModelState.LOADING


def test_unload_while_a_question_waits_for_the_load_answers_it_first(stage: Stage) -> None:
    stage.gate("loading")
    manager = stage.manager(stage.model(loading="/loaded loads\n/wait loading"))
    answer = manager.ask("one", question("/held"))
    wait_until(manager, lambda: status(manager).state is ModelState.LOADING)
    manager.unload("one")
    stage.open("loading")
    assert read(answer) == "1"
    wait_for_state(manager, ModelState.ASLEEP)
    assert stage.loaded() == ["one"]
    assert not children()


def test_unload_calls_off_a_load_that_nobody_has_asked_anything(stage: Stage) -> None:
    stage.gate("never")
    manager = stage.manager(stage.model(loading="/wait never"))
    manager.wake("one", page="mine")
    wait_until(manager, lambda: status(manager).state is ModelState.LOADING)
    manager.unload("one")
    wait_for_state(manager, ModelState.ASLEEP)
    assert not children()


def spares_are_gone() -> None:
    """Spare processes end beside their models' own; nothing tells of it but their end."""
    for pid in children():
        gone(pid)
    assert not children()


def test_unload_ends_sleepers_and_those_that_stand_by_for_good(stage: Stage) -> None:
    names = ("a", "b", "c")
    manager = stage.manager(*large(stage, *names), budget_bytes=8, standby=True)
    manager.ensure_ready("a")
    manager.ensure_ready("b")
    wait_until(manager, lambda: status(manager, "c").process is ProcessState.STANDING_BY)
    assert status(manager, "a").process is ProcessState.SLEEPING
    for name in names:
        manager.unload(name)
    wait_until(manager, lambda: {one.process for one in manager.statuses()} == {ProcessState.NONE})
    spares_are_gone()
    assert read(manager.ask("c", question("/name"))) == "c"
    wait_until(manager, lambda: status(manager, "c").running == 0)
    assert {status(manager, name).process for name in "ab"} == {ProcessState.NONE}


def test_after_its_keep_alive_no_process_stands_by_for_a_model(stage: Stage) -> None:
    manager = stage.manager(stage.model("a", size_bytes=6, keep_alive_s=1), budget_bytes=8, standby=True)
    manager.ensure_ready("a")
    wait_for_state(manager, ModelState.ASLEEP, "a")
    spares_are_gone()
    assert status(manager, "a").process is ProcessState.NONE


def test_no_process_stands_by_where_ram_is_short(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.workers.manager.spare_ram", lambda: 0)
    manager = stage.manager(*large(stage, "a", "b"), budget_bytes=8, standby=True)
    manager.ensure_ready("a")
    assert len(children()) == 1
    assert status(manager, "b").process is ProcessState.NONE


def test_models_on_the_cpu_that_ram_does_not_hold_together_take_turns(stage: Stage) -> None:
    models = [stage.model(name, loading="/sleepless\n/loaded loads", ram_bytes=6) for name in ("one", "two")]
    manager = stage.manager(*models, stage.model("small"), budget_bytes=8, standby=True)
    for name in ("small", "one", "two", "one"):
        assert read(manager.ask(name, question("/name"))) == name
        assert len(children()) <= 2
    assert stage.loaded() == ["one", "two", "one"]
    assert status(manager, "small").state is ModelState.READY
    (use,) = manager.device_uses()
    assert (use.device, dict(use.held_bytes), use.budget_bytes) == ("cpu", {"one": 6}, 8)


def test_what_ram_a_lone_model_takes_is_not_worth_telling(stage: Stage) -> None:
    manager = stage.manager(stage.model("one", ram_bytes=6), stage.model("small"), budget_bytes=8)
    assert manager.device_uses() == ()


def test_nothing_is_loaded_once_the_launcher_closes(stage: Stage) -> None:
    stage.gate("never")
    manager = stage.manager(stage.model(loading="/wait never"))
    manager.wake("one")
    manager.unload("one")
    manager.close()
    with pytest.raises(EngineError, match="stopped before it was loaded"):
        manager.ensure_ready("one")
