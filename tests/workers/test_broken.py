"""Engines that break for good: the process ends, everybody is told, and whoever asks again is answered by
another one."""

from __future__ import annotations

import pytest

from launcher.errors import EngineBroken, EngineError, OutOfMemory, WorkerDied
from launcher.workers.restarts import MAX_RESTARTS
from launcher.workers.states import ModelState
from tests.workers.stage import Stage, children, question, read, status, wait_for_state, wait_until


def test_a_broken_engine_is_asked_only_once(stage: Stage) -> None:
    manager = stage.manager()
    manager.ensure_ready("one")
    before = children()
    for _ in range(2):
        with pytest.raises(EngineBroken, match="The engine broke: by the script"):
            list(manager.ask("one", question("/broken by the script")))
        assert read(manager.ask("one", question("/held\nnext"))) == "1next "
    assert not children() & before


def test_the_other_answers_of_a_broken_engine_end_with_the_reason(stage: Stage) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two"))
    stage.gate("other")
    apart = manager.ask("two", question("/wait other\napart"))
    others = [manager.ask("one", question("begun\n/stall")) for _ in range(2)]
    for other in others:
        assert next(other).text == "begun "
    with pytest.raises(EngineBroken):
        list(manager.ask("one", question("/broken quite")))
    for other in others:
        with pytest.raises(EngineBroken, match="The engine broke: quite") as told:
            list(other)
        assert told.value.hint == "Ask again: it starts anew."
    stage.open("other")
    assert read(apart) == "apart "


def test_what_is_asked_after_the_break_was_told_never_meets_it(stage: Stage) -> None:
    """The error comes when the process is gone, so that there is no moment in which to ask it again."""
    manager = stage.manager()
    for _ in range(3):
        with pytest.raises(EngineBroken):
            list(manager.ask("one", question("/broken now")))
        assert status(manager).state is not ModelState.READY


def test_an_engine_that_breaks_again_and_again_is_given_up_until_a_person_asks_again(
    stage: Stage, brief_pauses: None
) -> None:
    manager = stage.manager()
    for _ in range(MAX_RESTARTS + 1):
        with pytest.raises(EngineBroken):
            list(manager.ask("one", question("/broken again")))
    assert status(manager).state is ModelState.FAILED
    with pytest.raises(EngineBroken, match="again"):
        list(manager.ask("one", question("hello")))
    assert read(manager.ask("one", question("hello"), retry=True)) == "hello "


def test_a_lost_gpu_is_a_broken_engine_whatever_the_engine_calls_it(stage: Stage) -> None:
    manager = stage.manager()
    with pytest.raises(EngineBroken, match="lost its GPU while answering: RuntimeError: CUDA error") as told:
        list(manager.ask("one", question("/raise CUDA error: device-side assert triggered")))
    assert str(manager.log_path("one")) in told.value.hint
    assert read(manager.ask("one", question("/held"))) == "1"


def test_an_answer_that_finds_no_memory_does_not_break_the_engine(stage: Stage) -> None:
    manager = stage.manager()
    with pytest.raises(EngineError, match="failed while answering") as told:
        list(manager.ask("one", question("/raise CUDA error: out of memory")))
    assert not isinstance(told.value, EngineBroken | WorkerDied)
    (process,) = children()
    assert read(manager.ask("one", question("next"))) == "next "
    assert children() == {process}


def test_an_engine_that_breaks_while_it_loads_says_that_loading_failed(stage: Stage) -> None:
    """An engine asks itself a first question then, which is nobody's."""
    manager = stage.manager(stage.model(loading="/broken in its first answer"))
    with pytest.raises(EngineError, match="one failed while loading: The engine broke: in its first") as told:
        manager.ensure_ready("one")
    assert str(manager.log_path("one")) in told.value.hint
    assert wait_for_state(manager, ModelState.FAILED).error is not None


@pytest.mark.parametrize("end", ["/crash 134", "/kill"])
def test_a_process_that_says_that_memory_ran_out_is_tried_again_alone(stage: Stage, end: str) -> None:
    """TurboMind does not live to raise an exception."""
    loading = f"/complain [TM][ERROR] CUDA runtime error: out of memory\n{end}"
    manager = stage.manager(
        stage.model("one", size_bytes=4), stage.model("two", loading=loading, size_bytes=4), budget_bytes=8
    )
    manager.ensure_ready("one")
    with pytest.raises(OutOfMemory, match="two ran out of memory while loading: its process ended with"):
        manager.ensure_ready("two")
    wait_until(manager, lambda: status(manager, "one").state is ModelState.ASLEEP)
