"""The status lines of all models, with a real manager, real processes and scripts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import pytest

from launcher.ui.status_board import StatusBoard
from tests.workers.stage import Stage, question

GIB = 1 << 30
Lines = dict[str, str]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("scripts"), [])
    yield stage  # type: ignore[misc]
    for manager in stage.managers:
        manager.close()


def watch(board: StatusBoard, ended: asyncio.Event | None = None) -> AsyncGenerator[Lines, None]:
    return board.changes(ended or asyncio.Event())


async def until(changes: AsyncGenerator[Lines, None], true: Callable[[Lines], bool]) -> Lines:
    """All lines, once they are as told."""
    shown: Lines = {}
    async for lines in changes:
        shown |= lines
        if true(shown):
            return shown
    raise AssertionError(shown)


async def test_every_tab_is_told_how_loading_goes_and_when_its_model_had_to_leave(stage: Stage) -> None:
    stage.gate("loaded")
    one = stage.model("one", size_bytes=5 * GIB)
    two = stage.model("two", loading="/progress weights 0.5\n/wait loaded", size_bytes=6 * GIB)
    manager = stage.manager(one, two, budget_bytes=8 * GIB)
    async with aclosing(watch(StatusBoard(manager, "en"))) as changes:
        first = await anext(changes)
        assert all(
            "status asleep" in first[name] and "GPU 0: 0.0 of 8.0 GiB" in first[name]
            for name in ("one", "two")
        )
        manager.wake("one")
        shown = await until(changes, lambda shown: "status ready" in shown.get("one", ""))
        assert "GPU 0: 5.0 of 8.0 GiB (one 5.0)" in shown["one"]
        assert "GPU 0: 5.0 of 8.0 GiB (one 5.0)" in shown["two"]
        answer = manager.ask("one", question("/stall"))
        manager.wake("two")
        await until(changes, lambda shown: "Waiting for the answers of one" in shown.get("two", ""))
        answer.cancel()
        shown = await until(changes, lambda shown: "weights, 50 %" in shown.get("two", ""))
        assert "status asleep" in shown["one"]
        await asyncio.to_thread(stage.open, "loaded")
        shown = await until(changes, lambda shown: "status ready" in shown.get("two", ""))
        assert "GPU 0: 6.0 of 8.0 GiB (two 6.0)" in shown["two"]


async def test_a_model_that_failed_says_why(stage: Stage) -> None:
    manager = stage.manager(stage.model(loading="/fail no weights"))
    manager.wake("one")
    async with aclosing(watch(StatusBoard(manager, "zh"))) as changes:
        shown = await until(changes, lambda shown: "status failed" in shown["one"])
    assert "no weights" in shown["one"]
    assert "GPU" not in shown["one"]


async def test_an_open_page_holds_no_thread_and_hears_nothing_while_nothing_changes(stage: Stage) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two"))
    board = StatusBoard(manager, "en")
    threads = threading.active_count()
    pages = [watch(board) for _ in range(200)]
    for page in pages:
        assert set(await anext(page)) == {"one", "two"}
    coming = [asyncio.ensure_future(anext(page)) for page in pages]
    await asyncio.sleep(0)
    assert threading.active_count() == threads
    manager.wake("two")
    assert not [update for update in await asyncio.gather(*coming) if "one" in update]
    for page in pages:
        await page.aclose()


async def test_nobody_follows_once_nobody_reads(stage: Stage) -> None:
    board, ended = StatusBoard(stage.manager(stage.model("one")), "en"), asyncio.Event()
    reading = watch(board, ended)
    await anext(reading)
    ended.set()
    assert [lines async for lines in reading] == []
    assert board._following is None
