"""What the server does for a page: answers a question, stops, lets go of a page that was closed. Knows
neither Gradio nor engines.

The page holds the conversation and what may be clicked when (``page/turns.js``); an answer is a generator of
updates (``updates.py``). Closing the generator, or cancelling the task that drives it, stops the engine; so
do the stop button and the end of the page.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from launcher.errors import EngineError, LauncherError, RequestError
from launcher.images import check_upload, has_passed
from launcher.messages import ChatRequest, Chunk
from launcher.picture_budgets import PictureBudget
from launcher.presets import Preset
from launcher.ui import status_line
from launcher.ui.conversation import Exchange, Settings, Typed, to_request
from launcher.ui.early_stops import EarlyStops
from launcher.ui.errors_at_page import say_at_page
from launcher.ui.grounding import drawn
from launcher.ui.pacing import paced
from launcher.ui.shown_text import GrowingAnswer, html_lines, typed_as_shown
from launcher.ui.texts import Language
from launcher.ui.updates import Answered, Unanswered, Update, grown
from launcher.workers.answers import Answer
from launcher.workers.manager import Manager

_LOG = logging.getLogger(__name__)


class Turn(NamedTuple):
    """One question of a page, which counts them; programs are pages, too, and their questions are counted for
    them, downwards."""

    page: str
    number: int


@dataclass(frozen=True)
class ChatHandlers:
    """One tab's handlers, for all who have the page open."""

    preset: Preset
    manager: Manager
    find: Callable[[Path], Path | None]
    """A path that the page names -> the file that was uploaded to it, or is one of its examples'."""
    budget: PictureBudget | None = None
    """What a picture takes of the model, where that is known before it is loaded."""
    _open: dict[Turn, Answer] = field(default_factory=dict)
    _early_stops: EarlyStops = field(default_factory=EarlyStops)
    _program_numbers: Iterator[int] = field(default_factory=lambda: itertools.count(-1, -1))

    async def ask(
        self, turn: Turn, typed: Typed, history: Sequence[Exchange], settings: Settings, language: Language
    ) -> AsyncGenerator[Update, None]:
        """That the question is asked, then its answer as it comes, then how it ended: ``updates.py``."""
        try:
            history = [replace(each, question=self._found(each.question)) for each in history]
            typed = await self._checked(typed)
            async with aclosing(self._answered(turn, typed, history, settings, language)) as updates:
                async for update in updates:
                    yield update
        except LauncherError as error:
            yield _unanswered(error, language)
        except Exception:  # noqa: BLE001 - logged, and told: a page must not wait for good
            _LOG.exception("A question failed in a way that nobody foresaw")
            unknown = EngineError(
                "Something went wrong on the server.",
                hint="The terminal that runs the page says more. The question is still here; ask again.",
            )
            yield _unanswered(unknown, language)

    async def _answered(
        self, turn: Turn, typed: Typed, history: Sequence[Exchange], settings: Settings, language: Language
    ) -> AsyncGenerator[Update, None]:
        """The engine is asked before anything is shown: it need not wait for that."""
        growing, shown = GrowingAnswer(), ""
        with self._asked(turn, to_request(history, typed, settings)) as answer:
            yield {"question": typed_as_shown(typed.text)}
            async with aclosing(paced(answer)) as pieces:
                async for piece in pieces:
                    if piece.finish is None:
                        before, shown = shown, growing.add(piece.text)
                        yield grown(before, shown)
                    else:
                        yield _ended(growing, piece, language)

    def stop(self, turn: Turn) -> None:
        """Ends the answer of this turn, also where its question is still on its way; what was said stays."""
        if answer := self._open.get(turn):
            answer.cancel()
        else:
            self._early_stops.add(turn)

    def leave(self, page: str) -> None:
        """Ends all answers of a page, or of a program, that is gone."""
        for turn, answer in list(self._open.items()):
            if turn.page == page:
                answer.cancel()

    async def answer(self, page: str, typed: Typed, settings: Settings) -> AsyncGenerator[str, None]:
        """Answers a question without a conversation, for programs: nothing yet once the engine is asked, then
        the text so far at each update."""
        typed = await self._checked(typed)
        text = ""
        turn = Turn(page, next(self._program_numbers))
        with self._asked(turn, to_request([], typed, settings)) as answer:
            yield text
            async with aclosing(paced(answer)) as pieces:
                async for piece in pieces:
                    text += piece.text
                    yield text

    def unload(self) -> None:
        """Gives the model's memory back, once the answers it has begun are finished."""
        self.manager.unload(self.preset.name)

    async def _checked(self, typed: Typed) -> Typed:
        if not typed.text.strip():
            raise RequestError("There is no question yet.", hint="Type one and press Enter.")
        if typed.pictures and self.preset.kind == "text":
            raise RequestError(
                "{model} reads text alone; it cannot look at pictures.",
                hint="Take the picture out, or ask in the tab of a model for pictures.",
                model=self.preset.name,
            )
        typed = self._found(typed)
        for picture in typed.pictures:
            if not has_passed(picture):
                await asyncio.to_thread(check_upload, picture)
        return typed

    def _found(self, typed: Typed) -> Typed:
        """The same with its pictures where they lie."""
        found = {picture: self.uploaded(picture) for picture in typed.pictures}
        one_tile = frozenset(found[picture] for picture in typed.pictures if picture in typed.one_tile)
        return replace(typed, pictures=tuple(map(found.__getitem__, typed.pictures)), one_tile=one_tile)

    def uploaded(self, path: Path) -> Path:
        """The file that the page names. Raises RequestError where it was not uploaded to this page."""
        if (found := self.find(path)) is None:
            raise RequestError(
                "{name} was not uploaded to this page.",
                hint="Add the picture to the question again.",
                name=path.name,
            )
        return found

    @contextmanager
    def _asked(self, turn: Turn, request: ChatRequest) -> Iterator[Answer]:
        if turn in self._open:
            raise RequestError(
                "This question is being answered already.", hint="Wait for its answer, or stop it."
            )
        with self.manager.ask(self.preset.name, request, retry=True) as answer:
            self._open[turn] = answer
            if self._early_stops.take(turn):
                answer.cancel()
            try:
                yield answer
            finally:
                del self._open[turn]


def _ended(growing: GrowingAnswer, end: Chunk, language: Language) -> Answered | Unanswered:
    """How an answer ended that grew so far; one without a word was stopped."""
    shown = growing.finished(end.text)
    if not growing.text:
        return {"trouble": "", "in_line": ""}
    return {
        "answer": growing.text,
        "shown": shown,
        "boxes": drawn(growing.text),
        "cost": status_line.render_cost(end, language) if end.usage else "",
    }


def _unanswered(error: LauncherError, language: Language) -> Unanswered:
    told = "<br>".join(html_lines(part) for part in say_at_page(error, language) if part)
    return {"trouble": told, "in_line": status_line.error_html(error, language)}
