"""What becomes of questions of programs between their two requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.errors import RequestError
from launcher.ui.handlers import ChatHandlers
from launcher.ui.routes.calls import Calls
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted
from tests.workers.stage import status, wait_until

ADDRESS = "192.0.2.7"


def question(text: str) -> dict[str, object]:
    return {"message": {"text": text, "files": []}}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(runnable_models([scripted("one", tmp_path)]), log_folder=tmp_path / "logs") as manager:
        yield manager


def calls_to(manager: Manager, tmp_path: Path, unread_s: float = 60.0) -> Calls:
    preset = scripted("one", tmp_path).preset
    chats = {name: ChatHandlers(preset, manager, find=lambda path: path) for name in ("chat_one", "chat_two")}
    return Calls(chats, unread_s)


@pytest.fixture
def calls(manager: Manager, tmp_path: Path) -> Calls:
    return calls_to(manager, tmp_path)


async def asked(calls: Calls, text: str = "hello") -> str:
    return await calls.begin("chat_one", question(text), ADDRESS, "en")


async def events(calls: Calls, event: str) -> bytes:
    stream = calls.answer("chat_one", event)
    return b"".join([bytes(piece) async for piece in stream.body_iterator])  # type: ignore[arg-type]


async def test_an_answer_is_read_once(calls: Calls) -> None:
    event = await asked(calls)
    assert list(calls.under_way()) == [ADDRESS]
    assert (await events(calls, event)).endswith(b'event: complete\ndata: ["hello "]\n\n')
    assert not list(calls.under_way())
    with pytest.raises(RequestError, match="There is no event"):
        calls.answer("chat_one", event)


async def test_the_engine_is_at_work_before_anybody_reads(calls: Calls, manager: Manager) -> None:
    event = await asked(calls, "first\n/stall")
    await asyncio.to_thread(wait_until, manager, lambda: status(manager).running == 1)
    await calls.answer("chat_one", event).close()
    await asyncio.to_thread(wait_until, manager, lambda: status(manager).running == 0)


async def test_an_answer_that_nobody_comes_to_read_is_stopped(manager: Manager, tmp_path: Path) -> None:
    calls = calls_to(manager, tmp_path, unread_s=0.0)
    event = await asked(calls, "/stall")
    while calls.under_way():
        await asyncio.sleep(0)
    await asyncio.to_thread(wait_until, manager, lambda: status(manager).running == 0)
    with pytest.raises(RequestError, match="There is no event"):
        calls.answer("chat_one", event)


async def test_what_is_wrong_with_a_question_is_its_answer(calls: Calls) -> None:
    event = await asked(calls, " ")
    assert b"event: error" in await events(calls, event)
    assert not list(calls.under_way())


async def test_what_is_not_known_is_named(calls: Calls) -> None:
    with pytest.raises(RequestError, match="There is no endpoint named chat_three"):
        await calls.begin("chat_three", question("hello"), ADDRESS, "en")
    with pytest.raises(RequestError, match="chat_one has no parameter colour"):
        await calls.begin("chat_one", {**question("hello"), "colour": "red"}, ADDRESS, "en")
    event = await asked(calls)
    for endpoint, name in (("chat_one", f"{event}0"), ("chat_two", event)):
        with pytest.raises(RequestError, match="There is no event"):
            calls.answer(endpoint, name)
    assert b"hello" in await events(calls, event)
