"""The handlers with a real manager, real processes and scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from launcher.engines.scripted import ALLOWED_BY
from launcher.errors import EngineError, LauncherError, PictureError, RequestError, WorkerDied
from launcher.messages import GenerationOptions
from launcher.ui.conversation import Settings, Typed, answered, asked
from launcher.ui.handlers import ChatHandlers, PageUpdate
from launcher.ui.shown_text import answer_as_given
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted

SETTINGS = Settings("", GenerationOptions(max_new_tokens=1 << 20))


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


async def collected(updates: AsyncIterator[PageUpdate]) -> tuple[list[PageUpdate], LauncherError | None]:
    seen: list[PageUpdate] = []
    try:
        async for update in updates:
            seen.append(update)
    except LauncherError as error:
        return seen, error
    return seen, None


def last_bubbles(updates: list[PageUpdate]) -> object:
    return next(update.bubbles for update in reversed(updates) if update.bubbles is not None)


async def test_a_question_moves_to_the_chat_and_its_answer_follows(manager: Manager, folder: Path) -> None:
    typed = Typed("a <b> *c*")
    updates, error = await collected(handlers(manager, folder).ask("me", typed, [], SETTINGS, "en"))
    assert error is None
    assert updates[0].bubbles == asked([], typed)
    assert updates[0].typed == Typed()
    assert updates[0].answering is True
    assert last_bubbles(updates) == answered(asked([], typed), "a <b> *c* ")
    assert any(update.cost and "3 tokens in" in update.cost for update in updates)


async def test_each_update_extends_the_last(manager: Manager, folder: Path) -> None:
    updates, _ = await collected(handlers(manager, folder).ask("me", Typed("/say 3000"), [], SETTINGS, "en"))
    texts = [
        update.bubbles[-1]["content"][0]["text"]
        for update in updates
        if update.bubbles and len(update.bubbles) > 1
    ]
    # All but the last, which closes the paragraph and has the answer behind.
    assert all(later.startswith(earlier.removesuffix("</p>")) for earlier, later in pairwise(texts))
    assert answer_as_given(texts[-1]).split() == [f"{number}" for number in range(3000)]


async def test_a_limit_that_was_reached_is_told(manager: Manager, folder: Path) -> None:
    settings = Settings("", GenerationOptions(max_new_tokens=2))
    updates, _ = await collected(handlers(manager, folder).ask("me", Typed("/say 5"), [], settings, "zh"))
    assert any(update.cost and "达到 2 个 token 的上限" in update.cost for update in updates)


async def test_pictures_reach_the_engine(manager: Manager, folder: Path) -> None:
    picture = folder / "star.png"
    Image.new("RGB", (8, 8), "red").save(picture)
    updates, error = await collected(
        handlers(manager, folder).ask("me", Typed("seen", (picture,)), [], SETTINGS, "en")
    )
    assert error is None
    assert last_bubbles(updates) == answered(asked([], Typed("seen", (picture,))), "[star.png] seen ")


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [
        (Typed("  "), "vision", RequestError),
        (Typed("", (Path("x.png"),)), "vision", RequestError),
        (Typed("q", (Path("x.png"),)), "text", RequestError),
        (Typed("q", (Path("/no/such.png"),)), "vision", PictureError),
    ],
    ids=["blank", "a picture alone", "a picture for words", "no such picture"],
)
async def test_a_question_refused_at_once_changes_nothing(
    manager: Manager, folder: Path, typed: Typed, kind: str, expected: type[LauncherError]
) -> None:
    updates, error = await collected(
        handlers(manager, folder, kind=kind).ask("me", typed, [], SETTINGS, "en")
    )
    assert isinstance(error, expected)
    assert updates == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [("some words\n/fail broken", EngineError), ("/kill", WorkerDied)],
    ids=["fails", "dies"],
)
async def test_a_question_that_fails_is_not_lost(
    manager: Manager, folder: Path, script: str, expected: type[LauncherError]
) -> None:
    chat = handlers(manager, folder)
    before = answered(asked([], Typed("first")), "yes")
    updates, error = await collected(chat.ask("me", Typed(script), before, SETTINGS, "en"))
    assert isinstance(error, expected)
    assert last_bubbles(updates) == asked(before, Typed(script))
    end = chat.end(asked(before, Typed(script)), Typed("typed since"))
    assert (end.bubbles, end.typed) == (before, Typed(f"{script}\ntyped since"))
    assert updates[-1].answering is False
    assert (await collected(chat.ask("me", Typed("again"), before, SETTINGS, "en")))[1] is None


async def test_after_a_stop_an_answer_that_began_stays(manager: Manager, folder: Path) -> None:
    bubbles = answered(asked([], Typed("q")), "half an ans")
    end = handlers(manager, folder).end(bubbles, Typed("next"))
    assert end == PageUpdate()


async def test_closing_stops_the_engine(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    async with aclosing(chat.ask("me", Typed("/endless"), [], SETTINGS, "en")) as updates:
        async for update in updates:
            if update.bubbles and len(update.bubbles) == 2:
                break
    assert (await collected(chat.ask("me", Typed("free again"), [], SETTINGS, "en")))[1] is None
    assert not manager._open


async def test_cancelling_stops_the_engine(manager: Manager, folder: Path) -> None:
    begun = asyncio.Event()

    async def ask() -> None:
        async for update in handlers(manager, folder).ask("me", Typed("/endless"), [], SETTINGS, "en"):
            if update.bubbles and len(update.bubbles) == 2:
                begun.set()

    task = asyncio.ensure_future(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await collected(handlers(manager, folder).ask("me", Typed("free again"), [], SETTINGS, "en")))[
        1
    ] is None
    assert not manager._open


async def stopped(chat: ChatHandlers, how: Callable[[str], None]) -> list[PageUpdate]:
    """The updates of an endless answer that is ended once it has begun."""
    updates: list[PageUpdate] = []
    async for update in chat.ask("me", Typed("/endless"), [], SETTINGS, "en"):
        updates.append(update)
        if update.bubbles and len(update.bubbles) == 2:
            how("somebody else")
            how("me")
    return updates


async def test_stop_ends_the_answer_and_keeps_it(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    bubbles = last_bubbles(await stopped(chat, chat.stop))
    assert isinstance(bubbles, list)
    assert answer_as_given(bubbles[1]["content"][0]["text"]).startswith("0 ")
    assert not chat._open


async def test_clear_ends_the_answer_and_takes_it_away(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    assert last_bubbles(await stopped(chat, chat.clear)) == []


def test_stop_and_clear_without_an_answer_do_nothing(manager: Manager, folder: Path) -> None:
    chat = handlers(manager, folder)
    chat.stop("me")
    chat.clear("me")


async def test_asking_again_replaces_the_answer_and_leaves_the_box(manager: Manager, folder: Path) -> None:
    before = answered(asked([], Typed("first")), "yes")
    bubbles = answered(asked(before, Typed("second")), "old")
    updates, _ = await collected(handlers(manager, folder).ask_again("me", bubbles, SETTINGS, "en"))
    assert last_bubbles(updates) == answered(asked(before, Typed("second")), "second ")
    assert all(update.typed is None for update in updates)


def test_undo_puts_the_question_back(manager: Manager, folder: Path) -> None:
    before = answered(asked([], Typed("first")), "yes")
    update = handlers(manager, folder).undo(answered(asked(before, Typed("second")), "no"), Typed("third"))
    assert (update.bubbles, update.typed) == (before, Typed("second\nthird"))


async def test_a_program_gets_the_text_so_far(manager: Manager, folder: Path) -> None:
    texts = [text async for text in handlers(manager, folder).answer(Typed("/say 100"), SETTINGS)]
    # All but the last, which closes the paragraph and has the answer behind.
    assert all(later.startswith(earlier.removesuffix("</p>")) for earlier, later in pairwise(texts))
    assert texts[-1].split() == [f"{number}" for number in range(100)]


async def test_two_models_and_many_questions_side_by_side(manager: Manager, folder: Path) -> None:
    async def ask(name: str, text: str) -> str:
        return [text async for text in handlers(manager, folder, name).answer(Typed(text), SETTINGS)][-1]

    names = ["one", "words"] * 6
    asked_for = [f"/name\nquestion {number}" for number in range(len(names))]
    answers = await asyncio.gather(*map(ask, names, asked_for))
    assert answers == [f"{name}question {number} " for number, name in enumerate(names)]
