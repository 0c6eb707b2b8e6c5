"""The handlers with a real manager, real processes and scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from launcher.engines.scripted import ALLOWED_BY
from launcher.messages import GenerationOptions
from launcher.ui.conversation import Bubbles, Settings, Typed, answered, asked
from launcher.ui.handlers import ChatHandlers, Turn
from launcher.ui.shown_text import answer_as_given
from launcher.ui.texts import Language
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted

SETTINGS = Settings("", GenerationOptions(max_new_tokens=32768))
ME = Turn("me", 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def manager(folder: Path) -> Iterator[Manager]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ALLOWED_BY, "1")
        models = [
            scripted("one", folder),
            scripted("words", folder, kind="text"),
        ]
        with Manager(runnable_models(models), log_folder=folder / "logs") as manager:
            yield manager


def handlers(manager: Manager, folder: Path, name: str = "one", **preset: object) -> ChatHandlers:
    return ChatHandlers(scripted(name, folder, **preset).preset, manager)  # type: ignore[arg-type]


async def conversations(
    chat: ChatHandlers,
    typed: Typed,
    before: Bubbles | None = None,
    settings: Settings = SETTINGS,
    turn: Turn = ME,
    language: Language = "en",
) -> list[Bubbles]:
    """Every update of a question's event."""
    return [update async for update in chat.ask(turn, typed, before or [], settings, language)]


def said(bubbles: Bubbles) -> str:
    """The last bubble's text."""
    return str(bubbles[-1]["content"][-1]["text"])


def given(updates: list[Bubbles]) -> str:
    """The answer at the end, as the model gave it."""
    return answer_as_given(said(updates[-1]))


def note(bubbles: Bubbles) -> str:
    return str(bubbles[-1]["metadata"]["log"])


async def test_a_question_is_shown_and_its_answer_follows(manager: Manager, folder: Path) -> None:
    typed = Typed("a <b> *c*")
    updates = await conversations(handlers(manager, folder), typed)
    assert updates[0] == asked([], typed)
    assert said(updates[-1]) == said(answered([], "a <b> *c* "))
    assert "3 tokens in" in note(updates[-1])


async def test_each_update_extends_the_last(manager: Manager, folder: Path) -> None:
    first, *others = await conversations(handlers(manager, folder), Typed("/say 3000"))
    assert all(later[:-1] == first for later in others)
    texts = [said(update) for update in others]
    # All but the last, which closes the paragraph and has the answer behind.
    assert all(later.startswith(earlier.removesuffix("</p>")) for earlier, later in pairwise(texts))
    assert answer_as_given(texts[-1]).split() == [f"{number}" for number in range(3000)]


async def test_a_limit_that_was_reached_is_told(manager: Manager, folder: Path) -> None:
    settings = Settings("", GenerationOptions(max_new_tokens=2))
    updates = await conversations(
        handlers(manager, folder), Typed("/say 5"), settings=settings, language="zh"
    )
    assert "达到 2 个 token 的上限" in note(updates[-1])


async def test_pictures_reach_the_engine(manager: Manager, folder: Path) -> None:
    picture = folder / "star.png"
    Image.new("RGB", (8, 8), "red").save(picture)
    updates = await conversations(handlers(manager, folder), Typed("seen", (picture,)))
    assert updates[-1][:-1] == asked([], Typed("seen", (picture,)))
    assert said(updates[-1]) == said(answered([], "[star.png] seen "))


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [
        (Typed("  "), "vision", "There is no question yet."),
        (Typed("", (Path("x.png"),)), "vision", "There is no question yet."),
        (Typed("q", (Path("x.png"),)), "text", "one reads text alone"),
        (Typed("q", (Path("/no/such.png"),)), "vision", "There is no file such.png"),
        (Typed("some words\n/fail broken"), "vision", "The script failed: broken"),
        (Typed("/kill"), "vision", "stopped"),
    ],
    ids=["blank", "a picture alone", "a picture for words", "no such picture", "fails", "dies"],
)
async def test_a_question_without_an_answer_is_the_last_bubble_and_says_why(
    manager: Manager, folder: Path, typed: Typed, kind: str, expected: str
) -> None:
    chat = handlers(manager, folder, kind=kind)
    before = answered(asked([], Typed("first")), "yes")
    updates = await conversations(chat, typed, before)
    assert updates[-1][:-1] == before
    assert updates[-1][-1]["role"] == "user"
    assert expected in note(updates[-1])
    assert given(await conversations(chat, Typed("again"), before)) == "again "


async def test_what_nobody_foresaw_is_told(
    manager: Manager, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.ui.handlers.to_request", lambda *_: 1 / 0)
    updates = await conversations(handlers(manager, folder), Typed("q"))
    assert "Something went wrong on the server." in note(updates[-1])


async def test_a_question_at_the_end_is_the_one_that_is_asked(manager: Manager, folder: Path) -> None:
    before = answered(asked([], Typed("first")), "yes")
    updates = await conversations(handlers(manager, folder), Typed("second"), asked(before, Typed("second")))
    assert updates[-1][:-1] == asked(before, Typed("second"))


async def begun(updates: AsyncIterator[Bubbles]) -> None:
    """Once there is some of an answer."""
    async for bubbles in updates:
        if bubbles[-1]["role"] == "assistant":
            return


async def test_closing_stops_the_engine(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    async with aclosing(chat.ask(ME, Typed("/endless"), [], SETTINGS, "en")) as updates:
        await begun(updates)
    assert given(await conversations(chat, Typed("free again"))) == "free again "
    assert not manager._open


async def test_cancelling_stops_the_engine(manager: Manager, folder: Path) -> None:
    answering = asyncio.Event()
    chat = handlers(manager, folder)

    async def ask() -> None:
        async with aclosing(chat.ask(ME, Typed("/endless"), [], SETTINGS, "en")) as updates:
            await begun(updates)
            answering.set()
            await begun(update async for update in updates if update is None)

    task = asyncio.ensure_future(ask())
    await answering.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert given(await conversations(chat, Typed("free again"))) == "free again "
    assert not manager._open


@pytest.mark.parametrize("script", ["some words\n/stall", "/stall"], ids=["begun", "silent"])
@pytest.mark.parametrize("how", ["stop", "leave"])
async def test_an_answer_is_ended_by_its_own_page(
    manager: Manager, folder: Path, how: str, script: str
) -> None:
    chat = handlers(manager, folder)
    asking = asyncio.ensure_future(conversations(chat, Typed(script)))
    while ME not in chat._open:
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
    updates = await asking
    assert updates[0] == asked([], Typed(script))
    assert not chat._open
    assert not chat._stopped.keys() & {ME.page}


async def test_a_stop_that_comes_before_its_question_is_kept(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    chat.stop(ME)
    assert await conversations(chat, Typed("/stall")) == [asked([], Typed("/stall"))]
    updates = await conversations(chat, Typed("next"), turn=Turn(ME.page, ME.number + 1))
    assert given(updates) == "next "


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
