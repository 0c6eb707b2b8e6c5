"""What becomes of questions of programs between their two requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.errors import RequestError
from launcher.ui.handlers import ChatHandlers
from launcher.ui.routes import calls as module
from launcher.ui.routes.calls import UNREAD_S, Calls
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted

QUESTION = {"message": {"text": "hello", "files": []}}


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[Calls]:
    model = scripted("one", tmp_path)
    with Manager(runnable_models([model]), log_folder=tmp_path / "logs") as manager:
        chat = ChatHandlers(model.preset, manager, find=lambda path: path)
        yield Calls({"chat_one": chat, "chat_two": chat}, clock_s=lambda: clock_s[0])


clock_s = [0.0]


async def events(calls: Calls, event: str) -> bytes:
    stream = calls.answer("chat_one", event, "en")
    return b"".join([bytes(piece) async for piece in stream.body_iterator])  # type: ignore[arg-type]


async def test_an_answer_is_read_once(calls: Calls) -> None:
    event = calls.begin("chat_one", QUESTION)
    assert (await events(calls, event)).endswith(b'event: complete\ndata: ["hello "]\n\n')
    with pytest.raises(RequestError, match="There is no event"):
        calls.answer("chat_one", event, "en")


async def test_a_question_waits_a_minute_for_its_reader(calls: Calls) -> None:
    event = calls.begin("chat_one", QUESTION)
    clock_s[0] += UNREAD_S - 1
    kept = calls.begin("chat_one", QUESTION)
    clock_s[0] += 2
    calls.begin("chat_one", QUESTION)
    with pytest.raises(RequestError, match="There is no event"):
        calls.answer("chat_one", event, "en")
    assert b"hello" in await events(calls, kept)


def test_questions_that_nobody_reads_are_bounded(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNREAD", 3)
    for _ in range(10):
        calls.begin("chat_one", QUESTION)
    assert len(calls._unread) == 3


def test_what_is_not_known_is_named(calls: Calls) -> None:
    with pytest.raises(RequestError, match="There is no endpoint named chat_three"):
        calls.begin("chat_three", QUESTION)
    with pytest.raises(RequestError, match="chat_one has no parameter colour"):
        calls.begin("chat_one", {**QUESTION, "colour": "red"})
    event = calls.begin("chat_one", QUESTION)
    with pytest.raises(RequestError, match="There is no event"):
        calls.answer("chat_one", f"{event}0", "en")
