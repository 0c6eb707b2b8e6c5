"""How many questions, and other events of Gradio's, may be under way at once: in all, from one address, and
for one open page or program, which Gradio calls a session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from http import HTTPStatus

from launcher.errors import RequestError
from launcher.ui.guard.rates import address_of, stands_for_many
from launcher.ui.guard.refusals import Refusal
from launcher.ui.headers import App, Message, Receive, Scope, Send

IN_ALL, FROM_ONE_ADDRESS, OF_ONE_SESSION = 2048, 64, 32
_BEGINNINGS = ("POST /gradio_api/queue/join", "POST /gradio_api/call/")
_QUESTION = "POST /launcher/ask"
"""It is under way for as long as its request."""

_TRY_AGAIN = {"Retry-After": "5"}


UnderWay = tuple[str, str]
"""Session and address of what has not ended."""


class WaitingEvents:
    """Refuses what begins an event while too many are under way. It stands behind ``FileData``, which has
    read the body and knows that it is JSON."""

    def __init__(self, app: App, under_way: Callable[[], Sequence[UnderWay]]) -> None:
        self._app = app
        self._events_under_way = under_way
        self._questions: list[UnderWay] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        route = f"{scope['method']} {scope['path']}" if scope["type"] == "http" else ""
        if not route.startswith((*_BEGINNINGS, _QUESTION)):
            await self._app(scope, receive, send)
            return
        message = await receive()
        asker = _session_in(message.get("body", b"")), address_of(scope)
        if error := self._too_many(*asker):
            await Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, _TRY_AGAIN)(scope, receive, send)
            return
        ahead = [message]

        async def receive_again() -> Message:
            return ahead.pop() if ahead else await receive()

        with self._under_way(asker) if route.startswith(_QUESTION) else nullcontext():
            await self._app(scope, receive_again, send)

    @contextmanager
    def _under_way(self, question: UnderWay) -> Iterator[None]:
        self._questions.append(question)
        try:
            yield
        finally:
            self._questions.remove(question)

    def _too_many(self, session: str, address: str) -> RequestError | None:
        under_way = [*self._events_under_way(), *self._questions]
        of_session = sum(each[0] == session for each in under_way) if session else 0
        from_address = sum(each[1] == address for each in under_way)
        if of_session >= OF_ONE_SESSION or (
            from_address >= FROM_ONE_ADDRESS and not stands_for_many(address)
        ):
            return RequestError(
                "Too many questions of yours are being answered: {count}",
                "Wait until one of them is done.",
                count=max(of_session, from_address),
            )
        if len(under_way) >= IN_ALL:
            return RequestError(
                "Too many questions are being answered: {count}",
                "Try again in a moment.",
                count=len(under_way),
            )
        return None


def _session_in(body: bytes) -> str:
    value = json.loads(body) if body else None
    return str(value.get("session_hash") or value.get("page") or "") if isinstance(value, dict) else ""
