"""How many questions may be under way at the endpoint at once, in all and from one address; and how many
large bodies are read at once, which are held in memory until their pictures are stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from http import HTTPStatus

from launcher.errors import RequestError
from launcher.ui.guard.bodies import MAX_BODY_BYTES, said_length
from launcher.ui.guard.rates import address_of, counted, stands_for_many
from launcher.ui.guard.refusals import Refusal
from launcher.ui.guard.waiting_events import FROM_ONE_ADDRESS, IN_ALL
from launcher.ui.headers import App, Message, Receive, Scope, Send

LARGE_AT_ONCE = 8
_TRY_AGAIN = {"Retry-After": "5"}


class UnderWay:
    """Refuses a question while too many others are being answered; a large one waits while too many are being
    read."""

    def __init__(self, app: App, in_all: int = IN_ALL, from_one: int = FROM_ONE_ADDRESS) -> None:
        self._app, self._in_all, self._from_one = app, in_all, from_one
        self._open: Counter[str] = Counter()
        self._reading_large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        address = address_of(scope)
        if error := self._too_many(address):
            await Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, _TRY_AGAIN)(scope, receive, send)
            return
        with counted(self._open, address):
            async with AsyncExitStack() as reading:
                if _is_large(scope):
                    await reading.enter_async_context(self._reading_large)

                async def receive_to_the_end() -> Message:
                    message = await receive()
                    if not message.get("more_body", False):
                        await reading.aclose()
                    return message

                await self._app(scope, receive_to_the_end, send)

    def _too_many(self, address: str) -> RequestError | None:
        from_there = self._open[address]
        if from_there >= self._from_one and not stands_for_many(address):
            return RequestError(
                "Too many questions of yours are being answered: {count}",
                "Wait until one of them is done.",
                count=from_there,
            )
        if self._open.total() >= self._in_all:
            return RequestError(
                "Too many questions are being answered: {count}",
                "Try again in a moment.",
                count=self._open.total(),
            )
        return None


def _is_large(scope: Scope) -> bool:
    """Or does not say how large it is."""
    return not 0 < said_length(scope) <= MAX_BODY_BYTES
