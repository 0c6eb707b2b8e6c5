"""Programs' questions over plain HTTP, as Gradio's own ``/gradio_api/call/{endpoint}`` takes and answers
them: a POST asks, and names an event; a GET of that event streams the answer.

Gradio's queue would take 8 to 12 ms of the server for each, and a copy of its page's state; its own client,
which speaks another protocol, still goes there. As there, the engine is asked by the POST, and is at work
while the GET is on its way; it stops when the reader leaves, or when none has come for a minute.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from launcher.errors import LauncherError, RequestError
from launcher.settings import shown
from launcher.ui.conversation import Settings, Typed
from launcher.ui.handlers import ChatHandlers
from launcher.ui.program_question import read_question
from launcher.ui.settings import SETTING_NAMES, to_settings
from launcher.ui.streams import Stream, in_json
from launcher.ui.texts import Language, say_error_in_lines

PARAMETERS = ("message", *SETTING_NAMES)
"""What an endpoint takes, in order."""

UNREAD_S = 60.0
"""How long an answer waits for its reader."""

_HEARTBEAT = b"event: heartbeat\ndata: null\n\n"


@dataclass(frozen=True)
class _Question:
    chat: ChatHandlers
    message: Typed | RequestError
    settings: Settings
    address: str
    language: Language


@dataclass(frozen=True)
class _Unread:
    chat: ChatHandlers
    answer: Stream
    forgetting: asyncio.Task[None]


@dataclass
class Calls:
    """The questions of programs; ``chats`` are by their endpoints' names. All methods are the loop's. How
    many there may be, ``launcher.ui.guard.waiting_events`` decides by ``under_way``."""

    chats: Mapping[str, ChatHandlers]
    unread_s: float = UNREAD_S
    _unread: dict[str, _Unread] = field(default_factory=dict)
    """Those whose answers nobody has begun to read, by event."""
    _under_way: dict[str, str] = field(default_factory=dict)
    """Event -> address, from the question until its answer is read or forgotten."""

    def under_way(self) -> Iterable[str]:
        """The addresses of those who ask, once for each question that has not ended."""
        return self._under_way.values()

    async def begin(self, endpoint: str, given: Mapping[str, Any], address: str, language: Language) -> str:
        """Asks a question, of which the parameters are given by name; returns the event's name, which nobody
        can guess.

        Args:
            endpoint: the tab's.
            given: the parameters.
            address: of who asks.
            language: what goes wrong with it is told in.

        Raises:
            RequestError: there is no such endpoint, or it has no such parameter.
        """
        chat = self._chat(endpoint)
        for name in given:
            if name not in PARAMETERS:
                raise RequestError(
                    "{endpoint} has no parameter {name}.",
                    hint="These are known: {names}.",
                    endpoint=endpoint,
                    name=shown(name),
                    names=", ".join(PARAMETERS),
                )
        message, settings = read_question(given.get("message")), to_settings(given, chat.preset)
        event, question = secrets.token_hex(16), _Question(chat, message, settings, address, language)
        answer = await Stream(self._pieces(event, question), "text/event-stream", _HEARTBEAT).begun()
        self._unread[event] = _Unread(chat, answer, asyncio.create_task(self._forget(event)))
        return event

    def answer(self, endpoint: str, event: str) -> Stream:
        """The answer of an event, which is read once.

        Raises:
            RequestError: there is no such event, or none any more.
        """
        chat, unread = self._chat(endpoint), self._unread.get(event)
        if unread is None or unread.chat is not chat:
            raise RequestError(
                "There is no event {name} of {endpoint} to be read.",
                hint="Ask anew: an answer is read once, within {seconds} s of its question.",
                name=shown(event),
                endpoint=endpoint,
                seconds=int(self.unread_s),
            )
        del self._unread[event]
        unread.forgetting.cancel()
        return unread.answer

    def _chat(self, endpoint: str) -> ChatHandlers:
        if endpoint not in self.chats:
            raise RequestError(
                "There is no endpoint named {name}.",
                hint="These are offered: {names}.",
                name=shown(endpoint),
                names=", ".join(self.chats),
            )
        return self.chats[endpoint]

    async def _forget(self, event: str) -> None:
        """Stops what nobody comes to read."""
        await asyncio.sleep(self.unread_s)
        await self._unread.pop(event).answer.close()

    async def _pieces(self, event: str, question: _Question) -> AsyncGenerator[bytes, None]:
        """Nothing yet once the engine is asked; the text so far at each update, then the whole, or why there
        is none."""
        self._under_way[event] = question.address
        text = ""
        try:
            if isinstance(question.message, RequestError):
                raise question.message
            answer = question.chat.answer(event, question.message, question.settings)
            async with aclosing(answer) as texts:
                async for text in texts:
                    yield _event("generating", [text]) if text else b""
            yield _event("complete", [text])
        except LauncherError as error:
            yield _event("error", {"error": say_error_in_lines(error, question.language)})
        finally:
            del self._under_way[event]


def _event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + in_json(data) + b"\n\n"
