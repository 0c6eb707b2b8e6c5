"""Workers that die, hang, fall silent, fail or do not stop: a clear error for each question in flight and a
working next one."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest

from launcher.errors import EngineError, WorkerDied
from launcher.workers.answers import Answer
from launcher.workers.limits import STEP_S
from launcher.workers.manager import Manager
from launcher.workers.restarts import MAX_RESTARTS
from launcher.workers.states import ModelState
from tests.process_files import process_file
from tests.workers.stage import (
    BRISK,
    PATIENT,
    Stage,
    alive,
    children,
    gone,
    question,
    read,
    status,
    wait_for_state,
    wait_until,
)


def test_a_killed_worker_fails_what_it_was_answering_and_the_next_question_works(stage: Stage) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two"))
    stage.gate("other")
    answers = [manager.ask("one", question(f"said {number}\n/stall")) for number in range(3)]
    other = manager.ask("two", question("/wait other\nother tab"))
    for number, answer in enumerate(answers):
        hear(answer, f"said {number} ")
    (mine,) = {pid for pid in children() if b"\0one\0" in command_line(pid)}
    os.kill(mine, signal.SIGKILL)
    for answer in answers:
        with pytest.raises(
            WorkerDied, match="one stopped unexpectedly: its process ended with signal SIGKILL"
        ):
            assert not read(answer)
    assert read(manager.ask("one", question("next"))) == "next "
    stage.open("other")
    assert read(other) == "other tab "


def hear(answer: Answer, expected: str) -> None:
    """Reads until all of this was said, in however many pieces, and no more."""
    heard = ""
    while heard != expected:
        heard += next(answer).text
        assert expected.startswith(heard)


def assert_stays(manager: Manager, state: ModelState) -> None:
    """For longer than the limits of these tests the model keeps its state and its process, whatever else may
    be told meanwhile: what a device holds is measured after a model was said to be loaded."""
    processes, ends_s = children(), time.monotonic() + 2 * STEP_S
    version = 0
    while (left_s := ends_s - time.monotonic()) > 0:
        version = manager.wait_for_change(version, timeout_s=left_s)
        assert (status(manager).state, children()) == (state, processes)


def command_line(pid: int) -> bytes:
    return process_file(pid, "cmdline")


def read_to_death(answer: Answer) -> str:
    """What was said before the model's process died, to the last word."""
    pieces: list[str] = []
    with pytest.raises(WorkerDied):
        pieces.extend(chunk.text for chunk in answer)
    assert list(answer) == []
    return "".join(pieces)


def test_text_that_came_before_the_death_is_still_read(stage: Stage) -> None:
    manager = stage.manager()
    stage.gate("said")
    stage.gate("death")
    answer = manager.ask("one", question("/say 3\n/open said\n/wait death\n/kill"))
    stage.reached("said")
    # an answer's first piece takes along what has been gathered of the others
    hear(manager.ask("one", question("another\n/stall")), "another ")
    stage.open("death")
    assert read_to_death(answer) == "0 1 2 "


def test_a_sudden_death_takes_at_most_what_was_being_gathered(stage: Stage) -> None:
    said = read_to_death(stage.manager().ask("one", question("/say 3\n/kill")))
    assert said.startswith("0 ")
    assert "0 1 2 ".startswith(said)


@pytest.mark.parametrize("end", ["/raise oops", "/fail told", "/broken it", "/mute"])
def test_nothing_is_lost_where_the_worker_knows_of_the_end(stage: Stage, end: str) -> None:
    answer = stage.manager().ask("one", question(f"/say 300\n{end}"))
    pieces: list[str] = []
    with pytest.raises(EngineError):
        pieces.extend(chunk.text for chunk in answer)
    assert "".join(pieces) == "".join(f"{number} " for number in range(300))


def test_an_exit_names_its_code_and_the_last_lines_it_printed(stage: Stage) -> None:
    with pytest.raises(WorkerDied) as caught:
        list(stage.manager().ask("one", question("/print 3\n/crash 7")))
    assert "ended with exit code 7" in caught.value.message
    assert caught.value.hint.rstrip().endswith("2")
    assert str(stage.folder / "logs" / f"one.{os.getpid()}.log") in caught.value.hint


def test_an_exception_in_an_answer_is_that_answers_alone(stage: Stage) -> None:
    manager = stage.manager()
    stage.gate("middle")
    other = manager.ask("one", question("/wait middle\nother"))
    with pytest.raises(EngineError, match="RuntimeError: oops") as caught:
        list(manager.ask("one", question("/raise oops")))
    assert not isinstance(caught.value, WorkerDied)
    with pytest.raises(EngineError, match="The script failed: told") as told:
        list(manager.ask("one", question("/fail told")))
    assert told.value.hint == "Ask something else."
    stage.open("middle")
    assert read(other) == "other "


def test_an_answer_that_ends_without_a_last_chunk_is_an_error(stage: Stage) -> None:
    with pytest.raises(EngineError, match="without saying why"):
        list(stage.manager().ask("one", question("half\n/mute")))


def test_a_hang_is_noticed_and_the_next_question_works(stage: Stage) -> None:
    manager = stage.manager(limits=BRISK)
    with pytest.raises(WorkerDied, match="did not respond for 3 s"):
        list(manager.ask("one", question("/hang")))
    assert read(manager.ask("one", question("next"))) == "next "


def test_a_worker_that_is_stopped_by_a_signal_counts_as_hanging(stage: Stage) -> None:
    manager = stage.manager(limits=BRISK)
    answer = manager.ask("one", question("/stall"))
    wait_until(manager, lambda: status(manager).running == 1)
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerDied, match="did not respond"):
        list(answer)
    assert not alive(pid)


def test_silence_on_every_answer_is_noticed_though_the_loop_lives(stage: Stage) -> None:
    manager = stage.manager(limits=replace(BRISK, answer_silence_s=1.0))
    with pytest.raises(WorkerDied, match="gave no answer a single word for 1 s"):
        list(manager.ask("one", question("/stall")))
    assert read(manager.ask("one", question("next"))) == "next "


def test_a_model_that_nobody_asks_may_be_silent(stage: Stage) -> None:
    manager = stage.manager(limits=replace(BRISK, answer_silence_s=0.3))
    manager.ensure_ready("one")
    assert_stays(manager, ModelState.READY)


def test_a_load_that_stands_still_is_ended(stage: Stage) -> None:
    manager = stage.manager(
        stage.model(loading="/progress weights 0.25\n/stall"), limits=replace(BRISK, load_silence_s=1.0)
    )
    with pytest.raises(WorkerDied, match="could not be loaded: no progress for 1 s"):
        manager.ensure_ready("one")


def test_a_load_that_blocks_the_loop_but_gets_on_is_no_hang(stage: Stage) -> None:
    manager = stage.manager(
        stage.model(loading="/progress weights 0.5\n/block loaded"), limits=replace(BRISK, hang_s=0.3)
    )
    stage.gate("loaded")
    manager.wake("one")
    wait_until(manager, lambda: status(manager).stage == "weights")
    assert_stays(manager, ModelState.LOADING)
    stage.open("loaded")
    manager.ensure_ready("one")


def test_a_load_that_the_engine_refuses_is_not_tried_again_until_a_person_does(stage: Stage) -> None:
    manager = stage.manager(stage.model(loading="/fail no weights"))
    answer = manager.ask("one", question("hello"))
    with pytest.raises(EngineError, match="no weights"):
        list(answer)
    failed = wait_for_state(manager, ModelState.FAILED)
    assert isinstance(failed.error, EngineError)
    with pytest.raises(EngineError, match="no weights"):
        list(manager.ask("one", question("hello")))
    assert not children()
    manager.wake("one")
    assert status(manager).state is ModelState.LOADING
    wait_for_state(manager, ModelState.FAILED)


@pytest.mark.parametrize(("script", "end"), [("/crash 3", "exit code 3"), ("/kill", "signal SIGKILL")])
def test_dying_at_load_is_tried_twice_then_failed_with_the_exit(stage: Stage, script: str, end: str) -> None:
    manager = stage.manager(stage.model(loading=f"/print 1\n{script}"))
    with pytest.raises(WorkerDied, match=f"could not be loaded: its process ended with {end}"):
        manager.ensure_ready("one")
    assert status(manager).state is ModelState.FAILED
    log = manager.log_path("one").read_text()
    assert sum(line.strip() == "0" for line in log.splitlines()) == 2


def test_a_model_that_dies_again_and_again_is_given_up_until_woken(stage: Stage, brief_pauses: None) -> None:
    manager = stage.manager()
    for _ in range(MAX_RESTARTS + 1):
        with pytest.raises(WorkerDied):
            list(manager.ask("one", question("/kill")))
    assert status(manager).state is ModelState.FAILED
    with pytest.raises(WorkerDied, match="SIGKILL"):
        list(manager.ask("one", question("hello")))
    manager.wake("one")
    assert read(manager.ask("one", question("hello"))) == "hello "


def test_a_worker_that_does_not_stop_when_asked_is_ended_within_bounds(stage: Stage) -> None:
    manager = stage.manager(limits=replace(PATIENT, close_s=0.3, terminate_s=0.3))
    answer = manager.ask("one", question("/hang"))
    wait_until(manager, lambda: status(manager).running == 1)
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)  # SIGTERM will not do either
    manager.close()
    assert not alive(pid)
    with pytest.raises(EngineError, match="closing"):
        list(answer)


@pytest.mark.parametrize("command", ["/spawn", "/detach"])
@pytest.mark.parametrize("end", ["close", "unload", "kill"])
def test_what_a_worker_has_spawned_goes_with_it(stage: Stage, command: str, end: str) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two"))
    grandchild = int(read(manager.ask("one", question(command))))
    others = int(read(manager.ask("two", question(command))))
    assert alive(grandchild)
    match end:
        case "close":
            manager.close()
        case "unload":
            manager.unload("one")
        case "kill":
            list_nothing(manager.ask("one", question("/kill")))
    gone(grandchild)
    if end == "close":
        gone(others)
    else:
        assert alive(others)


def list_nothing(answer: Answer) -> None:
    with pytest.raises(WorkerDied):
        list(answer)


def test_gigabytes_of_printing_leave_a_small_log(stage: Stage) -> None:
    manager = stage.manager()
    assert read(manager.ask("one", question("/print 5000\ndone"))) == "done "
    manager.close()
    path = manager.log_path("one")
    files = list(path.parent.iterdir())
    assert sum(file.stat().st_size for file in files) <= 2 << 20
    assert path.read_text().rstrip().endswith("4999")
