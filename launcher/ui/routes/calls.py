"""Programs' questions over plain HTTP, as Gradio's own ``/gradio_api/call/{endpoint}`` takes and answers
them: a POST names an event, and a GET of that event streams the answer.

Gradio's queue would take 8 to 12 ms of the server for each, and a copy of its page's state; its own client,
which speaks another protocol, still goes there. Here an answer is its GET, as it is its request for the page:
the engine is asked when somebody reads, and stops when the reader leaves.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
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
"""How long a question waits for who reads its answer."""

MOST_UNREAD = 1024

_HEARTBEAT = b"event: heartbeat\ndata: null\n\n"


@dataclass(frozen=True)
class _Call:
    chat: ChatHandlers
    message: Typed | RequestError
    settings: Settings
    asked_at_s: float


@dataclass
class Calls:
    """The questions that nobody has begun to read the answers of; ``chats`` are by their endpoints' names."""

    chats: Mapping[str, ChatHandlers]
    clock_s: Callable[[], float] = time.monotonic
    _unread: OrderedDict[str, _Call] = field(default_factory=OrderedDict)

    def begin(self, endpoint: str, given: Mapping[str, Any]) -> str:
        """Takes a question, of which the parameters are given by name; returns the event's name, which nobody
        can guess.

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
        call = _Call(
            chat, read_question(given.get("message")), to_settings(given, chat.preset), self.clock_s()
        )
        self._forget_old()
        event = secrets.token_hex(16)
        self._unread[event] = call
        return event

    def answer(self, endpoint: str, event: str, language: Language) -> Stream:
        """The answer of an event, which is read once.

        Raises:
            RequestError: there is no such event, or none any more.
        """
        chat, call = self._chat(endpoint), self._unread.pop(event, None)
        if call is None or call.chat is not chat:
            raise RequestError(
                "There is no event {name} of {endpoint} to be read.",
                hint="Ask anew: an answer is read once, within {seconds} s of its question.",
                name=shown(event),
                endpoint=endpoint,
                seconds=int(UNREAD_S),
            )
        return Stream(_events(event, call, language), "text/event-stream", _HEARTBEAT)

    def _chat(self, endpoint: str) -> ChatHandlers:
        if endpoint not in self.chats:
            raise RequestError(
                "There is no endpoint named {name}.",
                hint="These are offered: {names}.",
                name=shown(endpoint),
                names=", ".join(self.chats),
            )
        return self.chats[endpoint]

    def _forget_old(self) -> None:
        oldest_s = self.clock_s() - UNREAD_S
        while self._unread and (
            len(self._unread) >= MOST_UNREAD or next(iter(self._unread.values())).asked_at_s < oldest_s
        ):
            self._unread.popitem(last=False)


async def _events(event: str, call: _Call, language: Language) -> AsyncGenerator[bytes, None]:
    """Nothing yet once the engine is asked; the text so far at each update, then the whole, or why there is
    none."""
    text = ""
    try:
        if isinstance(call.message, RequestError):
            raise call.message
        async with aclosing(call.chat.answer(event, call.message, call.settings)) as texts:
            async for text in texts:
                yield _event("generating", [text]) if text else b""
        yield _event("complete", [text])
    except LauncherError as error:
        yield _event("error", {"error": say_error_in_lines(error, language)})


def _event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + in_json(data) + b"\n\n"
