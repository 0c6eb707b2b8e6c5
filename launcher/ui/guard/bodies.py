"""How much a request may send, and how slowly: bytes are counted as they come, whatever the request says of
their number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers

from launcher.errors import LauncherError, RequestError
from launcher.ui.guard.refusals import Refusal
from launcher.ui.headers import App, Message, Receive, Scope, Send

UPLOAD = "/gradio_api/upload"
MAX_BODY_BYTES = 2_000_000
"""A question of a million characters and its settings."""

MAX_UPLOAD_BYTES = 200_000_000
"""All pictures of one drop, which a browser sends together; each of them is bounded by ``ui.uploads``, and
none is held in memory."""

GRACE_S = 60.0
SLOWEST_BYTES_PER_S = 4_000
"""A body may take GRACE_S from when it is first read, and longer as it comes at this rate."""


class _Refused(Exception):
    """The body is not read any further."""

    def __init__(self, status: int, error: LauncherError) -> None:
        super().__init__(status)
        self.status, self.error = status, error


class Bodies:
    """Ends requests whose bodies are too large or too slow.

    Args:
        app: what is guarded.
        clock_s: the time.
        most_bytes: of any body but an upload's; MAX_BODY_BYTES where it is not given.
    """

    def __init__(
        self, app: App, clock_s: Callable[[], float] = time.monotonic, most_bytes: int | None = None
    ) -> None:
        self._app = app
        self._clock_s = clock_s
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        limit = MAX_UPLOAD_BYTES if scope["path"] == UPLOAD else self._most_bytes or MAX_BODY_BYTES
        body = _Body(receive, limit, self._clock_s)
        is_answered = False

        async def send_unless_refused(message: Message) -> None:
            """What the app makes of the cut is no answer; what it has answered before stands."""
            nonlocal is_answered
            if body.refused is None or is_answered:
                is_answered = True
                await send(message)

        try:
            if said_length(scope) > limit:
                body.refuse_size()
            await self._app(scope, body.receive, send_unless_refused)
        except Exception:
            if body.refused is None:
                raise
        if body.refused and not is_answered:
            await Refusal(body.refused.status, body.refused.error)(scope, receive, send)


class _Body:
    """A request's body on its way in."""

    def __init__(self, receive: Receive, limit: int, clock_s: Callable[[], float]) -> None:
        self._receive, self._limit, self._clock_s = receive, limit, clock_s
        self._begun_s: float | None = None
        self._bytes, self._is_whole = 0, False
        self.refused: _Refused | None = None

    async def receive(self) -> Message:
        """The next piece; raises once the body is refused."""
        if self._is_whole:
            return await self._receive()
        if self.refused:
            raise self.refused
        if self._begun_s is None:
            self._begun_s = self._clock_s()
        left_s = self._begun_s + GRACE_S + self._bytes / SLOWEST_BYTES_PER_S - self._clock_s()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, left_s))
        except asyncio.TimeoutError:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                RequestError(
                    "The request came too slowly, and was not read to its end",
                    "Send it again over a better connection.",
                ),
            )
        self._bytes += len(message.get("body", b""))
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self._bytes > self._limit:
            self.refuse_size()
        return message

    def refuse_size(self) -> None:
        """Raises, now and ever after."""
        self._refuse(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            RequestError(
                "The request has more than {limit_mb:g} MB",
                "Shorten the question, or send fewer pictures at once.",
                limit_mb=self._limit / 1e6,
            ),
        )

    def _refuse(self, status: int, error: LauncherError) -> None:
        self.refused = _Refused(status, error)
        raise self.refused


def _has_body(headers: Headers) -> bool:
    """HTTP/1.1: a request without either header has none."""
    return "content-length" in headers or "transfer-encoding" in headers


def said_length(scope: Scope) -> int:
    """The bytes that the request says it has; 0 where it does not say."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() and said.isascii() else 0
