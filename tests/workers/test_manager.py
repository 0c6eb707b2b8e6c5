"""Asking models that work: streams, several at once, cancelling, waiting for a load, slow readers. Real child
processes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from launcher.bench.scripted import MEASURED, register
from launcher.errors import DeviceError, EngineError, OutOfMemory, RequestError, WorkerDied
from launcher.messages import Chunk
from launcher.workers.answers import UNREAD_CHARACTERS
from launcher.workers.manager import Manager
from launcher.workers.offered import RunnableModel
from launcher.workers.states import ModelState, ProcessState, Seen
from tests.workers.stage import (
    BRISK,
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


def test_an_answer_comes_in_pieces_as_they_are_said(stage: Stage) -> None:
    manager = stage.manager()
    stage.gate("middle")
    with manager.ask("one", question("before\n/wait middle\nafter")) as answer:
        assert next(answer) == Chunk("before ")
        stage.open("middle")
        rest = list(answer)
    assert "".join(chunk.text for chunk in rest) == "after "
    assert [chunk.finish for chunk in rest[:-1]] == [None] * (len(rest) - 1)
    assert rest[-1].finish == "stop"
    assert rest[-1].usage is not None
    assert rest[-1].usage.new_tokens == 2


def test_the_token_limit_of_a_question_reaches_the_engine(stage: Stage) -> None:
    chunks = list(stage.manager().ask("one", question("/endless", max_new_tokens=3)))
    assert "".join(chunk.text for chunk in chunks) == "0 1 2 "
    assert chunks[-1].finish == "length"


def test_fifty_people_on_two_models_get_their_own_answers(stage: Stage) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two"))
    with ThreadPoolExecutor(50) as people:

        def ask(person: int) -> str:
            return read(
                manager.ask(("one", "two")[person % 2], question(f"/name\n/say {person}\nend of {person}"))
            )

        answers = list(people.map(ask, range(50)))
    for person, answer in enumerate(answers):
        numbers = "".join(f"{number} " for number in range(person))
        assert answer == ("one", "two")[person % 2] + numbers + f"end of {person} "
    assert len(children()) == 2


async def test_answers_are_read_by_async_loops_too(stage: Stage) -> None:
    manager = stage.manager()

    async def ask(person: int) -> str:
        async with manager.ask("one", question(f"person {person}")) as answer:
            return "".join([chunk.text async for chunk in answer])

    assert await asyncio.gather(*map(ask, range(20))) == [f"person {person} " for person in range(20)]


async def test_a_task_that_is_cancelled_stops_its_answer(stage: Stage) -> None:
    manager = stage.manager()
    begun = asyncio.Event()

    async def ask() -> None:
        async with manager.ask("one", question("/endless")) as answer:
            async for _ in answer:
                begun.set()

    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(wait_until, manager, lambda: status(manager).running == 0)


def test_cancelling_ends_the_answer_at_once_and_the_engine_soon(stage: Stage) -> None:
    manager = stage.manager()
    answer = manager.ask("one", question("/endless"))
    assert next(answer).text.startswith("0 ")
    answer.cancel()
    answer.cancel()
    chunks = list(answer)
    assert [chunk.finish for chunk in chunks] == ["cancelled"]
    wait_until(manager, lambda: status(manager).running == 0)
    assert read(manager.ask("one", question("next"))) == "next "


def test_cancelling_a_silent_answer_leaves_the_others_alone(stage: Stage) -> None:
    manager = stage.manager()
    stage.gate("other")
    silent = manager.ask("one", question("/stall"))
    other = manager.ask("one", question("/wait other\nother"))
    wait_until(manager, lambda: status(manager).running == 2)
    silent.cancel()
    wait_until(manager, lambda: status(manager).running == 1)
    stage.open("other")
    assert read(other) == "other "


def test_an_answer_cancelled_by_another_thread_ends_the_wait_of_its_reader(stage: Stage) -> None:
    answer = stage.manager().ask("one", question("/stall"))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, answer)
        answer.cancel()
        assert reading.result(timeout=60) == [Chunk("", finish="cancelled")]


def test_leaving_the_with_block_early_cancels(stage: Stage) -> None:
    manager = stage.manager()
    with manager.ask("one", question("/endless")) as answer:
        next(answer)
    wait_until(manager, lambda: status(manager).running == 0)


def test_a_question_waits_for_the_load_and_a_cancel_frees_its_place(stage: Stage) -> None:
    manager = stage.manager(stage.model(loading="/progress weights 0.5\n/wait loaded"))
    stage.gate("loaded")
    stays = manager.ask("one", question("stays"))
    leaves = manager.ask("one", question("leaves"))
    wait_until(manager, lambda: status(manager).stage == "weights")
    assert status(manager).fraction == 0.5
    assert status(manager).waiting == 2
    leaves.cancel()
    assert status(manager).waiting == 1
    stage.open("loaded")
    assert read(stays) == "stays "
    assert [chunk.finish for chunk in leaves] == ["cancelled"]


def test_a_slow_reader_gets_everything_and_holds_nobody_up(stage: Stage) -> None:
    manager = stage.manager()
    slow = manager.ask("one", question("/say 20000"))
    wait_until(manager, lambda: status(manager).running == 1)
    assert read(manager.ask("one", question("quick"))) == "quick "
    wait_until(manager, lambda: status(manager).running == 0)
    chunks = list(slow)
    assert len(chunks) == 1
    assert chunks[0].text == "".join(f"{number} " for number in range(20000))


def test_an_answer_that_nobody_reads_and_that_never_ends_is_ended(stage: Stage) -> None:
    manager = stage.manager()
    answer = manager.ask("one", question("x" * (UNREAD_CHARACTERS + 1) + "\n/endless"))
    wait_until(manager, lambda: status(manager).running == 1)
    wait_until(manager, lambda: status(manager).running == 0)
    with pytest.raises(EngineError, match="does not read it"):
        list(answer)


def test_ensure_ready_returns_once_loaded_and_statuses_tell_the_way(stage: Stage) -> None:
    manager = stage.manager()
    assert status(manager).state is ModelState.ASLEEP
    manager.ensure_ready("one")
    assert status(manager).state is ModelState.READY
    manager.ensure_ready("one")
    assert len(children()) == 1


def test_waking_many_times_starts_one_process(stage: Stage) -> None:
    manager = stage.manager(stage.model(loading="/wait loaded"))
    stage.gate("loaded")
    with ThreadPoolExecutor(8) as pool:
        waits = [pool.submit(manager.ensure_ready, "one") for _ in range(8)]
        for _ in range(8):
            manager.wake("one")
        stage.open("loaded")
        for wait in waits:
            wait.result(timeout=60)
    assert len(children()) == 1


def test_unload_finishes_the_answer_and_the_next_question_loads_again(stage: Stage) -> None:
    manager = stage.manager()
    stage.gate("middle")
    answer = manager.ask("one", question("/wait middle\nfinished"))
    wait_until(manager, lambda: status(manager).running == 1)
    (first,) = children()
    manager.unload("one")
    later = manager.ask("one", question("later"))
    stage.open("middle")
    assert read(answer) == "finished "
    assert read(later) == "later "
    assert not alive(first)


def test_unload_of_an_idle_model_ends_its_process(stage: Stage) -> None:
    manager = stage.manager()
    manager.ensure_ready("one")
    manager.unload("one")
    wait_for_state(manager, ModelState.ASLEEP)
    assert not children()


def test_a_model_that_cannot_run_here_says_why(stage: Stage) -> None:
    why = DeviceError("There is no GPU.", hint="Plug one in.")
    manager = stage.manager(RunnableModel("one", why))
    assert status(manager).state is ModelState.UNAVAILABLE
    with pytest.raises(DeviceError, match="no GPU"):
        list(manager.ask("one", question("hello")))
    with pytest.raises(DeviceError, match="no GPU"):
        manager.ensure_ready("one")


def test_an_unknown_name_is_refused_with_those_that_exist(stage: Stage) -> None:
    with pytest.raises(RequestError, match="These are offered: one"):
        stage.manager().ask("won", question("hello"))


def test_close_ends_open_answers_with_a_clear_error_and_every_process(stage: Stage) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two", loading="/wait never"))
    stage.gate("never")
    running = manager.ask("one", question("/stall"))
    waiting = manager.ask("two", question("hello"))
    wait_until(
        manager, lambda: status(manager).running == 1 and status(manager, "two").state is ModelState.LOADING
    )
    manager.close()
    assert not children()
    for answer in (running, waiting, manager.ask("one", question("late"))):
        with pytest.raises(EngineError, match="closing"):
            list(answer)
    with pytest.raises(EngineError):
        manager.ensure_ready("one")
    manager.close()


def test_two_models_that_do_not_fit_together_take_turns(stage: Stage) -> None:
    manager = stage.manager(
        stage.model("one", size_bytes=6), stage.model("two", size_bytes=6), budget_bytes=8
    )
    stage.gate("middle")
    first = manager.ask("one", question("/wait middle\n/name"))
    wait_until(manager, lambda: status(manager, "one").running == 1)
    second = manager.ask("two", question("/name"))
    assert status(manager, "two").state is ModelState.WAITING
    stage.open("middle")
    assert (read(first), read(second)) == ("one", "two")
    assert status(manager, "one").state is ModelState.ASLEEP
    assert status(manager, "one").process is ProcessState.SLEEPING
    assert len(children()) == 2


def test_a_sleeper_wakes_in_the_process_it_had(stage: Stage) -> None:
    manager = stage.manager(
        stage.model("one", size_bytes=6), stage.model("two", size_bytes=6), budget_bytes=8
    )
    loads = [read(manager.ask(name, question("/held"))) for name in ("one", "two", "one", "two", "one")]
    assert loads == ["1", "1", "2", "2", "3"]
    assert len(children()) == 2


def test_a_model_that_cannot_sleep_ends_instead(stage: Stage) -> None:
    sleepless = stage.model("one", loading="/sleepless", size_bytes=6)
    manager = stage.manager(sleepless, stage.model("two", size_bytes=6), budget_bytes=8)
    loads = [read(manager.ask(name, question("/held"))) for name in ("one", "two", "one")]
    assert loads == ["1", "1", "1"]


def test_a_model_that_fails_to_fall_asleep_ends_and_the_other_loads(stage: Stage) -> None:
    insomniac = stage.model("one", loading="/insomnia", size_bytes=6)
    manager = stage.manager(insomniac, stage.model("two", size_bytes=6), budget_bytes=8)
    manager.ensure_ready("one")
    assert read(manager.ask("two", question("/name"))) == "two"
    assert status(manager, "one").process is ProcessState.NONE
    assert read(manager.ask("one", question("/held"))) == "1"


def test_a_model_that_does_not_fall_asleep_in_time_is_ended(stage: Stage) -> None:
    models = [stage.model("one", loading="/sleep never", size_bytes=6), stage.model("two", size_bytes=6)]
    stage.gate("never")
    manager = stage.manager(*models, limits=replace(BRISK, sleep_s=0.5), budget_bytes=8)
    manager.ensure_ready("one")
    assert read(manager.ask("two", question("/name"))) == "two"
    assert status(manager, "one").state is ModelState.ASLEEP
    assert status(manager, "one").process is ProcessState.NONE


def test_a_model_that_cannot_be_woken_is_loaded_anew(stage: Stage) -> None:
    models = [stage.model("one", loading="/grump", size_bytes=6), stage.model("two", size_bytes=6)]
    manager = stage.manager(*models, budget_bytes=8)
    loads = [read(manager.ask(name, question("/held"))) for name in ("one", "two", "one")]
    assert loads == ["1", "1", "1"]


def test_a_question_that_comes_while_its_model_falls_asleep_wakes_it_again(stage: Stage) -> None:
    models = [stage.model("one", loading="/sleep asleep", size_bytes=6), stage.model("two", size_bytes=6)]
    stage.gate("asleep")
    manager = stage.manager(*models, budget_bytes=8)
    manager.ensure_ready("one")
    manager.wake("two")
    assert status(manager, "one").state is ModelState.STOPPING
    again = manager.ask("one", question("/held"))
    stage.open("asleep")
    assert read(again) == "2"


def test_a_sleeper_that_was_killed_starts_anew(stage: Stage) -> None:
    manager = stage.manager(
        stage.model("one", size_bytes=6), stage.model("two", size_bytes=6), budget_bytes=8
    )
    manager.ensure_ready("one")
    (sleeper,) = children()
    manager.ensure_ready("two")
    os.kill(sleeper, signal.SIGKILL)
    wait_until(manager, lambda: status(manager, "one").process is ProcessState.NONE)
    assert status(manager, "one").state is ModelState.ASLEEP
    assert read(manager.ask("one", question("/held"))) == "1"


def test_processes_stand_by_and_take_over(stage: Stage) -> None:
    manager = stage.manager(
        stage.model("one", size_bytes=6), stage.model("two", size_bytes=6), budget_bytes=8, standby=True
    )
    wait_until(manager, lambda: all(one.process is ProcessState.STANDING_BY for one in manager.statuses()))
    standing = manager._processes.pids()
    assert set(standing.values()) == children()
    assert read(manager.ask("two", question("/name"))) == "two"
    assert read(manager.ask("one", question("/name"))) == "one"
    assert manager._processes.pids() == standing


def with_spare(stage: Stage) -> tuple[Manager, int, int]:
    """A loaded model, its process and the spare one that stands by."""
    manager = stage.manager(stage.model("one", size_bytes=6), budget_bytes=8, standby=True)
    manager.ensure_ready("one")
    wait_until(manager, lambda: spare(manager) is ProcessState.STANDING_BY)
    pid = manager._processes.pids()["one"]
    (spares_pid,) = children() - {pid}
    return manager, pid, spares_pid


def spare(manager: Manager) -> ProcessState:
    return manager._scheduler._models["one"].spare


def test_a_loaded_model_that_is_killed_goes_on_in_its_spare_process(stage: Stage) -> None:
    manager, pid, spares_pid = with_spare(stage)
    answer = manager.ask("one", question("word\n/stall"))
    assert next(answer).text == "word "
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        list(answer)
    assert read(manager.ask("one", question("/held"))) == "1"
    assert manager._processes.pids()["one"] == spares_pid
    wait_until(manager, lambda: spare(manager) is ProcessState.STANDING_BY)
    assert len(children() - {spares_pid}) == 1
    manager.close()
    assert not children()


def test_a_spare_process_that_dies_is_nobodys_loss(stage: Stage) -> None:
    manager, pid, spares_pid = with_spare(stage)
    answer = manager.ask("one", question("word\n/stall"))
    assert next(answer).text == "word "
    os.kill(spares_pid, signal.SIGKILL)
    wait_until(manager, lambda: spare(manager) is ProcessState.NONE)
    assert read(manager.ask("one", question("/name"))) == "one"
    assert children() == {pid}
    answer.cancel()


def test_unloading_ends_the_spare_process_too(stage: Stage) -> None:
    manager, *pids = with_spare(stage)
    manager.unload("one")
    wait_for_state(manager, ModelState.ASLEEP)
    for pid in pids:
        gone(pid)
    assert status(manager).process is spare(manager) is ProcessState.NONE


def test_what_is_measured_of_a_device_decides_who_stays(stage: Stage) -> None:
    """Somebody else takes half of the device: what fitted together does not any more."""
    free_bytes, asked_about = 8, list[tuple[str, dict[str, int]]]()

    def measure(device: str, pids: Mapping[str, int]) -> Seen:
        asked_about.append((device, dict(pids)))
        return Seen(free_bytes - 4 * len(pids), dict.fromkeys(pids, 4))

    models = [stage.model("one", size_bytes=4), stage.model("two", size_bytes=4)]
    manager = stage.manager(*models, budget_bytes=100, measure=measure)
    manager.ensure_ready("one")
    wait_until(manager, lambda: manager.device_uses()[0].budget_bytes == 8)
    free_bytes = 4
    manager.ensure_ready("two")
    wait_until(manager, lambda: manager.device_uses()[0].budget_bytes == 4)
    assert asked_about[-1] == ("cuda:0", manager._processes.pids())
    manager.unload("two")
    wait_for_state(manager, ModelState.ASLEEP, "two")
    manager.ensure_ready("two")
    assert status(manager, "one").state is ModelState.ASLEEP


def test_models_that_fit_together_stay_together(stage: Stage) -> None:
    manager = stage.manager(
        stage.model("one", size_bytes=4), stage.model("two", size_bytes=4), budget_bytes=8
    )
    manager.ensure_ready("one")
    manager.ensure_ready("two")
    assert len(children()) == 2


def test_a_load_without_memory_is_tried_again_once_the_idle_have_left(stage: Stage) -> None:
    full = stage.model("two", loading="/full mark", size_bytes=4)
    manager = stage.manager(stage.model("one", size_bytes=4), full, budget_bytes=8)
    manager.ensure_ready("one")
    assert read(manager.ask("two", question("/name"))) == "two"
    assert status(manager, "one").state is ModelState.ASLEEP


def test_a_load_without_memory_says_so(stage: Stage) -> None:
    with pytest.raises(
        OutOfMemory, match="one ran out of memory while loading: RuntimeError: CUDA out of memory"
    ):
        stage.manager(stage.model(loading="/full mark")).ensure_ready("one")


def test_a_model_leaves_after_its_keep_alive(stage: Stage) -> None:
    manager = stage.manager(stage.model(keep_alive_s=1))
    assert read(manager.ask("one", question("/name"))) == "one"
    wait_for_state(manager, ModelState.ASLEEP)
    assert not children()


def test_a_thread_that_waits_for_changes_wakes_on_them(stage: Stage) -> None:
    manager = stage.manager()
    version = manager.wait_for_change(0, timeout_s=0)
    woken = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: manager.wait_for_change(version, timeout_s=60) != version and woken.set())
        manager.wake("one")
        assert woken.wait(60)


def test_an_engine_for_measurements_says_words_and_nothing_else(stage: Stage) -> None:
    register()
    manager = stage.manager(stage.model(engine=MEASURED.name))
    assert read(manager.ask("one", question("/pace 1000 3\nword"))) == "0 1 2 word "
    for command in ("/crash 3", "/loaded mark", "/spawn", "/print 1"):
        with pytest.raises(EngineError, match="The script has no command /"):
            read(manager.ask("one", question(command)))
    assert not (stage.folder / "mark").exists()
