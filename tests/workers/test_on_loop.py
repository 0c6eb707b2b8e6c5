"""An engine that lives on a thread of the launcher, by its manager: the one that plays scripts, there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from launcher.engines import table
from launcher.errors import EngineBroken, EngineError
from launcher.workers.manager import Manager
from launcher.workers.states import ModelState
from tests.scripted_engine import SCRIPTED
from tests.workers.stage import Stage, children, question, read, status, wait_for_state, wait_until

ON_LOOP = replace(SCRIPTED, name="scripted-on-a-loop", home="loop")


@pytest.fixture
def manager(stage: Stage) -> Iterator[Manager]:
    table.register(ON_LOOP)
    models = [
        stage.model("one", engine=ON_LOOP.name),
        stage.model("slow", "/wait gate", engine=ON_LOOP.name),
        stage.model("lame", "/fail it is lame", engine=ON_LOOP.name),
        stage.model("odd", "/raise odd", engine=ON_LOOP.name),
    ]
    yield stage.manager(*models)
    assert children() == set()


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("engine of")]


def test_answers_come_side_by_side_and_need_no_process(manager: Manager) -> None:
    answers = [manager.ask("one", question(f"/say {count}")) for count in range(1, 20)]
    for count, answer in enumerate(answers, 1):
        assert read(answer).split() == [str(number) for number in range(count)]
    assert children() == set()
    assert threads() == ["engine of one"]


def test_whoever_stops_an_answer_stops_that_one(manager: Manager) -> None:
    endless, other = manager.ask("one", question("/endless")), manager.ask("one", question("/endless"))
    assert next(endless).text
    assert next(other).text
    endless.cancel()
    wait_until(manager, lambda: status(manager).running == 1)
    assert next(other).text
    other.cancel()
    wait_until(manager, lambda: status(manager).running == 0)


@pytest.mark.parametrize(("name", "words"), [("lame", "The script failed: it is lame"), ("odd", "odd")])
def test_a_load_that_fails_says_why_and_may_be_tried_again(manager: Manager, name: str, words: str) -> None:
    for _ in range(2):
        with pytest.raises(EngineError, match=words):
            read(manager.ask(name, question("hello"), retry=True))
        assert status(manager, name).state is ModelState.FAILED
    assert read(manager.ask("one", question("hello"))) == "hello "


def test_one_question_that_fails_harms_no_other(manager: Manager) -> None:
    running = manager.ask("one", question("/endless"))
    assert next(running).text
    with pytest.raises(EngineError, match="The script failed: this"):
        read(manager.ask("one", question("/fail this")))
    with pytest.raises(EngineError, match="RuntimeError: that"):
        read(manager.ask("one", question("/raise that")))
    assert next(running).text
    running.cancel()


def test_one_that_breaks_ends_and_the_next_question_finds_another(manager: Manager) -> None:
    running = manager.ask("one", question("/endless"))
    assert next(running).text
    with pytest.raises(EngineBroken, match="The engine broke: glass"):
        read(manager.ask("one", question("/broken glass")))
    with pytest.raises(EngineBroken):
        read(running)
    assert read(manager.ask("one", question("/held"))) == "1"


def test_a_load_is_called_off(manager: Manager, stage: Stage) -> None:
    stage.gate("gate")
    manager.wake("slow")
    wait_for_state(manager, ModelState.LOADING, "slow")
    manager.unload("slow")
    wait_for_state(manager, ModelState.ASLEEP, "slow")
    assert "engine of slow" not in threads()


def test_closing_ends_what_runs(manager: Manager) -> None:
    running = manager.ask("one", question("/endless"))
    assert next(running).text
    manager.close()
    with pytest.raises(EngineError, match="closing"):
        read(running)
    assert threads() == []
