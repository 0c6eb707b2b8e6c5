"""How many requests may be open at once: in all, and from one address. Streams are requests: each open page
has one or two."""

from __future__ import annotations

import resource
from collections import Counter
from http import HTTPStatus

from launcher.errors import RequestError
from launcher.ui.guard.rates import address_of, counted, stands_for_many
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send

MOST_OPEN = 4096
OPEN_FROM_ONE_ADDRESS = 256
"""Loopback has no bound of its own: everyone behind a tunnel or a proxy comes from there."""

_FILES_FOR_THE_REST = 256
"""Open files that are none of the page's connections: workers' pipes, pictures, logs."""

_TRY_AGAIN = {"Retry-After": "10"}


def most_connections() -> int:
    """How many connections the page takes: MOST_OPEN, or what the system's limit on open files leaves."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_OPEN
    return max(1, min(MOST_OPEN, soft - min(_FILES_FOR_THE_REST, soft // 2)))


class Crowds:
    """Refuses a request while too many others are open."""

    def __init__(self, app: App, most: int | None = None, from_one: int = OPEN_FROM_ONE_ADDRESS) -> None:
        self._app = app
        self._most = most_connections() if most is None else most
        self._from_one = from_one
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if not is_request(scope):
            await self._app(scope, receive, send)
            return
        address = address_of(scope)
        if self._open.total() >= self._most:
            error = RequestError(
                "The page is open in too many places: {most} requests are being answered",
                "Try again in a moment, or close pages that are not needed.",
                most=self._most,
            )
            await Refusal(HTTPStatus.SERVICE_UNAVAILABLE, error, _TRY_AGAIN)(scope, receive, send)
            return
        if self._open[address] >= self._from_one and not stands_for_many(address):
            error = RequestError(
                "Too many requests are open from this address: {most}",
                "Close pages that are not needed, and try again.",
                most=self._from_one,
            )
            await Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, _TRY_AGAIN)(scope, receive, send)
            return
        with counted(self._open, address):
            await self._app(scope, receive, send)
