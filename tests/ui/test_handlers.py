"""The handlers with a real manager, real processes and scripts."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from launcher.messages import GenerationOptions
from launcher.ui.conversation import Exchange, Settings, Typed
from launcher.ui.early_stops import MOST_WAITING
from launcher.ui.errors_at_page import LABELS
from launcher.ui.handlers import ChatHandlers, Turn
from launcher.ui.settings import SETTING_NAMES, to_settings
from launcher.ui.shown_text import typed_as_shown
from launcher.ui.texts import Language
from launcher.ui.updates import Update
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted
from tests.ui.shown import answer_as_shown

SETTINGS = Settings("", GenerationOptions(max_new_tokens=32768))
ME = Turn("me", 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def manager(folder: Path) -> Iterator[Manager]:
    models = [
        scripted("one", folder),
        scripted("words", folder, kind="text"),
        scripted("forgetful", folder, memory={"session_tokens": 512}),
    ]
    with Manager(runnable_models(models), log_folder=folder / "logs") as manager:
        yield manager


def handlers(manager: Manager, folder: Path, name: str = "one", **preset: object) -> ChatHandlers:
    """Of a page to which every picture but one was uploaded."""
    readiness = scripted(name, folder, **preset)  # type: ignore[arg-type]
    return ChatHandlers(readiness.preset, manager, find=lambda path: None if path.name == "passwd" else path)


async def updates_of(
    chat: ChatHandlers,
    typed: Typed,
    history: Sequence[Exchange] = (),
    settings: Settings = SETTINGS,
    turn: Turn = ME,
    language: Language = "en",
) -> list[Update]:
    """All that the page is told of a question."""
    return [update async for update in chat.ask(turn, typed, history, settings, language)]


def shown(updates: Sequence[Update]) -> list[str]:
    """The answer as it is shown after each update; what JavaScript counts is what Python counts here."""
    texts, text = [], ""
    for update in updates:
        if "keep" in update:
            text = text[: update["keep"]] + update["add"]
            texts.append(text)
    return texts


async def test_a_picture_is_found_again_after_the_server_was_started_anew(
    manager: Manager, tmp_path: Path
) -> None:
    """An open page names it by its place in the run before."""
    Image.new("RGB", (30, 20), "red").save(tmp_path / "star.png")
    chat = replace(handlers(manager, tmp_path), find=lambda path: tmp_path / path.name)
    shown_before = Typed("What is it?", (Path("/earlier/star.png"),))
    last = (await updates_of(chat, shown_before, [Exchange(shown_before, "a star")]))[-1]
    assert "answer" in last, last


async def answer_to(chat: ChatHandlers, text: str, turn: Turn = ME) -> str:
    last = (await updates_of(chat, Typed(text), turn=turn))[-1]
    assert "answer" in last, last
    return last["answer"]


async def test_a_question_is_shown_and_its_answer_follows(manager: Manager, folder: Path) -> None:
    first, *_, last = await updates_of(handlers(manager, folder), Typed("a <b> *c*"))
    assert first == {"question": typed_as_shown("a <b> *c*")}
    assert "answer" in last
    assert last["answer"] == "a <b> *c* "
    assert last["shown"] == answer_as_shown("a <b> *c* ")
    assert "3 tokens in" in last["cost"]


async def test_each_update_extends_the_last(manager: Manager, folder: Path) -> None:
    updates = await updates_of(handlers(manager, folder), Typed("/pace 3000 3000"))
    texts = shown(updates)
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    last = updates[-1]
    assert "answer" in last
    assert last["answer"].split() == [f"{number}" for number in range(3000)]
    assert last["shown"].startswith(texts[-1])


async def test_a_limit_that_was_reached_is_told(manager: Manager, folder: Path) -> None:
    settings = Settings("", GenerationOptions(max_new_tokens=2))
    chat = handlers(manager, folder)
    last = (await updates_of(chat, Typed("/say 5"), settings=settings, language="zh"))[-1]
    assert "answer" in last
    assert "达到 2 个 token 的上限" in last["cost"]


async def test_pictures_reach_the_engine(manager: Manager, folder: Path) -> None:
    picture = folder / "star.png"
    Image.new("RGB", (8, 8), "red").save(picture)
    last = (await updates_of(handlers(manager, folder), Typed("seen", (picture,))))[-1]
    assert "answer" in last
    assert last["answer"] == "[star.png] seen "


PASSWORDS = Path("/etc/passwd")


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [
        (Typed("  "), "vision", "There is no question yet."),
        (Typed("", (Path("x.png"),)), "vision", "There is no question yet."),
        (Typed("q", (Path("x.png"),)), "text", "one reads text alone"),
        (Typed("q", (Path("/no/such.png"),)), "vision", "There is no file such.png"),
        (Typed("q", (PASSWORDS,)), "vision", "passwd was not uploaded to this page."),
        (Typed("some words\n/fail broken"), "vision", "The script failed: broken"),
        (Typed("/kill"), "vision", "stopped"),
    ],
    ids=["blank", "a picture alone", "a picture for words", "no such picture", "not a picture of ours",
         "fails", "dies"],
)  # fmt: skip
async def test_a_question_without_an_answer_says_why(
    manager: Manager, folder: Path, typed: Typed, kind: str, expected: str
) -> None:
    chat = handlers(manager, folder, kind=kind)
    last = (await updates_of(chat, typed))[-1]
    assert "trouble" in last
    assert expected in last["trouble"]
    assert await answer_to(chat, "again") == "again "


@pytest.mark.parametrize(
    ("language", "advice"),
    [
        ("en", "<br>Begin a new conversation or shorten the question."),
        ("zh", "<br>请开始新对话或缩短问题。"),
    ],
)
async def test_who_has_filled_a_conversation_is_led_to_what_keeps_it(
    manager: Manager, folder: Path, language: Language, advice: str
) -> None:
    asked = Typed("word " * 600)
    last = (await updates_of(handlers(manager, folder, "forgetful"), asked, language=language))[-1]
    assert "trouble" in last
    assert last["trouble"].endswith(advice)


@pytest.mark.parametrize(
    ("name", "value", "language", "told"),
    [
        ("max_new_tokens", 0, "en", "&quot;Longest answer, in tokens&quot; under Advanced cannot be 0"),
        ("max_new_tokens", 0, "zh", "“高级设置”中的“回答最长 token 数” 不能是 0"),
        ("repetition_penalty", 0, "en", "&quot;Repetition penalty&quot; under Advanced cannot be 0"),
        ("seed", -5, "zh", "“高级设置”中的“随机种子” 不能是 -5"),
        ("system_prompt", 7, "en", "&quot;System prompt&quot; under Advanced cannot be 7"),
    ],
)
async def test_a_refused_setting_is_called_as_its_control_is(
    manager: Manager, folder: Path, name: str, value: object, language: Language, told: str
) -> None:
    chat = handlers(manager, folder)
    settings = to_settings({name: value}, chat.preset)
    last = (await updates_of(chat, Typed("q"), settings=settings, language=language))[-1]
    assert "trouble" in last
    assert last["trouble"].startswith(told)
    assert name not in last["trouble"]


def test_every_setting_of_the_page_has_a_control_to_be_called_by() -> None:
    assert tuple(LABELS) == SETTING_NAMES


async def test_a_picture_of_the_history_that_is_not_ours_is_refused(manager: Manager, folder: Path) -> None:
    history = [Exchange(Typed("first", (PASSWORDS,)), "yes")]
    assert await updates_of(handlers(manager, folder), Typed("q"), history) == [
        {
            "trouble": "passwd was not uploaded to this page.<br>Add the picture to the question again.",
            "in_line": "passwd was not uploaded to this page. Add the picture to the question again.",
        }
    ]


async def test_what_nobody_foresaw_is_told(
    manager: Manager, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.ui.handlers.to_request", lambda *_: 1 / 0)
    (only,) = await updates_of(handlers(manager, folder), Typed("q"))
    assert "trouble" in only
    assert "Something went wrong on the server." in only["trouble"]


async def test_a_turn_that_is_answered_is_not_answered_twice(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    async with aclosing(chat.ask(ME, Typed("/stall"), [], SETTINGS, "en")) as updates:
        await anext(updates)
        (second,) = await updates_of(chat, Typed("/stall"))
        assert "trouble" in second
        assert "being answered already" in second["trouble"]
    assert await answer_to(chat, "next") == "next "


async def begun(updates: AsyncIterator[Update]) -> None:
    """Once there is some of an answer."""
    async for update in updates:
        if "keep" in update:
            return


async def test_closing_stops_the_engine(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    async with aclosing(chat.ask(ME, Typed("/endless"), [], SETTINGS, "en")) as updates:
        await begun(updates)
    assert await answer_to(chat, "free again") == "free again "
    assert not manager._open


async def test_cancelling_stops_the_engine(manager: Manager, folder: Path) -> None:
    answering = asyncio.Event()
    chat = handlers(manager, folder)

    async def ask() -> None:
        async with aclosing(chat.ask(ME, Typed("/endless"), [], SETTINGS, "en")) as updates:
            await begun(updates)
            answering.set()
            await begun(update async for update in updates if "question" in update)

    task = asyncio.ensure_future(ask())
    await answering.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await answer_to(chat, "free again") == "free again "
    assert not manager._open


@pytest.mark.parametrize("script", ["some words\n/stall", "/stall"], ids=["begun", "silent"])
@pytest.mark.parametrize("how", ["stop", "leave"])
async def test_an_answer_is_ended_by_its_own_page(
    manager: Manager, folder: Path, how: str, script: str
) -> None:
    chat = handlers(manager, folder)
    updates: list[Update] = []

    async def collect() -> None:
        async for update in chat.ask(ME, Typed(script), [], SETTINGS, "en"):
            updates.append(update)

    asking = asyncio.ensure_future(collect())
    while len(updates) < (2 if script.startswith("some") else 1):
        await asyncio.sleep(0)
    chat.stop(Turn("somebody else", ME.number))
    chat.stop(Turn(ME.page, ME.number - 1))
    chat.leave("somebody else")
    await asyncio.sleep(0)
    assert not asking.done()
    if how == "stop":
        chat.stop(ME)
    else:
        chat.leave(ME.page)
    await asking
    assert ("answer" in updates[-1]) == script.startswith("some")
    assert not chat._open


async def test_a_stop_that_comes_before_its_question_is_kept(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    chat.stop(ME)
    assert (await updates_of(chat, Typed("/stall")))[-1] == {"trouble": "", "in_line": ""}
    assert await answer_to(chat, "next", Turn(ME.page, ME.number + 1)) == "next "


async def test_stops_that_stop_nothing_do_not_gather(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    assert await answer_to(chat, "before") == "before "
    for number in range(2 * MOST_WAITING):
        chat.stop(Turn(f"page {number}", 1))
    kept = [each for each in gc.get_objects() if type(each) is Turn and each.page.startswith("page ")]
    assert 0 < len(kept) <= MOST_WAITING


async def test_a_page_that_asks_for_nothing_can_leave(manager: Manager, folder: Path) -> None:
    handlers(manager, folder).leave("nobody")


async def test_a_program_gets_the_text_so_far(manager: Manager, folder: Path) -> None:
    texts = [text async for text in handlers(manager, folder).answer("program", Typed("/say 100"), SETTINGS)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert texts[-1].split() == [f"{number}" for number in range(100)]


async def test_two_models_and_many_questions_side_by_side(manager: Manager, folder: Path) -> None:
    async def ask(name: str, text: str) -> str:
        texts = handlers(manager, folder, name).answer("program", Typed(text), SETTINGS)
        return [text async for text in texts][-1]

    names = ["one", "words"] * 6
    asked_for = [f"/name\nquestion {number}" for number in range(len(names))]
    answers = await asyncio.gather(*map(ask, names, asked_for))
    assert answers == [f"{name}question {number} " for number, name in enumerate(names)]


async def test_a_program_that_went_away_frees_the_model(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)

    async def ask() -> list[str]:
        return [text async for text in chat.answer("program", Typed("/stall"), SETTINGS)]

    asking = asyncio.ensure_future(ask())
    while not chat._open:
        await asyncio.sleep(0)
    chat.leave("program")
    await asking
    assert not chat._open
