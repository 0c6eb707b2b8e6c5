"""What the page does when a person acts, as generators of ``PageUpdate``; knows neither Gradio nor engines.

Failures are raised as ``launcher.errors`` exceptions, after the page has been put back to where nothing typed
is lost. Closing a generator, or cancelling the task that drives it, stops the engine: that is how a closed
page and the server's end arrive here. The stop button and the clear button end the answer instead, so that
all updates of a chat come from one generator, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from launcher.errors import RequestError
from launcher.images import check_upload
from launcher.messages import ChatRequest
from launcher.presets import Preset
from launcher.ui import status_line
from launcher.ui.conversation import (
    Bubbles,
    Settings,
    Typed,
    answered,
    answering,
    asked,
    is_unanswered,
    last_question,
    merged,
    to_request,
)
from launcher.ui.pacing import paced
from launcher.ui.shown_text import GrowingAnswer
from launcher.ui.texts import Language
from launcher.workers.answers import Answer
from launcher.workers.manager import Manager


@dataclass(frozen=True, slots=True)
class PageUpdate:
    """What changes on the page; None leaves a part as it is."""

    bubbles: Bubbles | None = None
    typed: Typed | None = None
    answering: bool | None = None
    cost: str | None = None


@dataclass
class _Open:
    """An answer that a page is shown; ``cleared`` once its conversation is wanted no more."""

    answer: Answer
    cleared: bool = False


@dataclass(frozen=True)
class ChatHandlers:
    """One tab's handlers, for all who have the page open: ``session`` tells them apart."""

    preset: Preset
    manager: Manager
    _open: dict[str, _Open] = field(default_factory=dict)

    async def ask(
        self, session: str, typed: Typed, bubbles: Bubbles, settings: Settings, language: Language
    ) -> AsyncGenerator[PageUpdate, None]:
        """Answers the question in the box: it moves to the chat at once, the answer follows as it comes.
        `end` follows.

        Raises:
            LauncherError: the question was not answered; it is the last bubble, or still in the box if it was
                refused at once.
        """
        await self._check(typed)
        question = asked(bubbles, typed)
        yield PageUpdate(bubbles=question, typed=Typed(), answering=True, cost="")
        try:
            with self._asked(session, to_request(bubbles, typed, settings)) as opened:
                async with aclosing(self._shown(opened, question, language)) as updates:
                    async for update in updates:
                        yield update
        except Exception:
            yield PageUpdate(bubbles=question, answering=False)
            raise
        yield PageUpdate(answering=False)

    async def _shown(
        self, opened: _Open, question: Bubbles, language: Language
    ) -> AsyncGenerator[PageUpdate, None]:
        text, answer = "", GrowingAnswer()
        async with aclosing(paced(aiter(opened.answer))) as pieces:
            async for piece in pieces:
                if piece is None:
                    yield PageUpdate()
                    continue
                text += piece.text
                cost = status_line.render_cost(piece, language) if piece.usage else None
                bubbles = answering(question, answer, piece.text) if text else None
                yield PageUpdate(bubbles=bubbles, cost=cost)
        if opened.cleared:
            yield PageUpdate(bubbles=[])
        elif text:
            yield PageUpdate(bubbles=answered(question, text))

    def stop(self, session: str) -> None:
        """Ends the answer that this page is shown, if there is one; what was said stays."""
        if opened := self._open.get(session):
            opened.answer.cancel()

    def clear(self, session: str) -> None:
        """Ends the answer that this page is shown, if there is one, and takes away all that it had put
        there."""
        if opened := self._open.get(session):
            opened.cleared = True
            opened.answer.cancel()

    async def answer(self, typed: Typed, settings: Settings) -> AsyncGenerator[str, None]:
        """Answers a question without a conversation, for programs: the text so far, at each update."""
        await self._check(typed)
        text = ""
        self.manager.wake(self.preset.name)
        with self.manager.ask(self.preset.name, to_request([], typed, settings)) as answer:
            async with aclosing(paced(aiter(answer))) as pieces:
                async for piece in pieces:
                    if piece is not None:
                        text += piece.text
                        yield text

    async def ask_again(
        self, session: str, bubbles: Bubbles, settings: Settings, language: Language
    ) -> AsyncGenerator[PageUpdate, None]:
        """Asks the last question once more, in place of its answer."""
        before, typed = last_question(bubbles)
        async with aclosing(self.ask(session, typed, before, settings, language)) as updates:
            async for update in updates:
                yield (
                    update
                    if update.typed is None
                    else PageUpdate(update.bubbles, None, update.answering, update.cost)
                )

    def end(self, bubbles: Bubbles, typed: Typed) -> PageUpdate:
        """After every question: one that has no answer goes back to the box, before what was typed since."""
        if not is_unanswered(bubbles):
            return PageUpdate()
        before, question = last_question(bubbles)
        return PageUpdate(before, merged(question, typed))

    def undo(self, bubbles: Bubbles, typed: Typed) -> PageUpdate:
        """Takes back the last question and its answer; the question goes back to the box."""
        before, question = last_question(bubbles)
        return PageUpdate(before, merged(question, typed))

    def unload(self) -> None:
        """Gives the model's memory back, once the answers it has begun are finished."""
        self.manager.unload(self.preset.name)

    async def _check(self, typed: Typed) -> None:
        if not typed.text.strip():
            raise RequestError("There is no question yet.", hint="Type one and press Enter.")
        if typed.pictures and self.preset.kind == "text":
            raise RequestError(
                "{model} reads text alone; it cannot look at pictures.",
                hint="Take the picture out, or ask in the tab of a model for pictures.",
                model=self.preset.name,
            )
        for picture in typed.pictures:
            await asyncio.to_thread(check_upload, picture)

    @contextmanager
    def _asked(self, session: str, request: ChatRequest) -> Iterator[_Open]:
        self.manager.wake(
            self.preset.name
        )  # a model that has failed is tried again, because a person asks again
        with self.manager.ask(self.preset.name, request) as answer:
            opened = self._open[session] = _Open(answer)
            try:
                yield opened
            finally:
                if self._open.get(session) is opened:
                    del self._open[session]
