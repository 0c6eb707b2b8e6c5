"""Who may ask the endpoint: whoever has the API key, or, where there is none, this machine alone."""

from __future__ import annotations

import hashlib
import hmac
import math
from http import HTTPStatus

from starlette.datastructures import Headers

from launcher.commands_here import command
from launcher.errors import RequestError
from launcher.ui.guard.login import FAILURES_A_MINUTE, without_authorization
from launcher.ui.guard.nearness import is_from_here
from launcher.ui.guard.rates import Rate, address_of
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send

OPEN_TO_ALL = "/health"


class KeyCheck:
    """Lets those in who know the key; what they sent is not handed on."""

    def __init__(self, app: App, key: str | None, failures: Rate | None = None) -> None:
        self._app = app
        self._right = None if key is None else _digest(key)
        self._failures = failures or Rate(FAILURES_A_MINUTE, 60)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        refusal = self._refusal(scope) if is_request(scope) and scope["path"] != OPEN_TO_ALL else None
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(without_authorization(scope), receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers, address = Headers(scope=scope), address_of(scope)
        if self._right is None:
            return None if is_from_here(scope) else _no_key()
        given = headers.get("authorization")
        if given is not None and (wait_s := self._failures.wait_s(address)):
            return _too_often(wait_s)
        scheme, _, key = (given or "").partition(" ")
        is_right = hmac.compare_digest(_digest(key.strip()), self._right)
        if is_right and scheme.lower() == "bearer":
            return None
        if given is not None:
            self._failures.happened(address)
        return Refusal(
            HTTPStatus.UNAUTHORIZED,
            RequestError(
                "This endpoint asks for an API key, and the right one was not given",
                "Send the key that the launcher was started with: Authorization: Bearer KEY.",
            ),
            {"WWW-Authenticate": "Bearer"},
        )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _no_key() -> Refusal:
    error = RequestError(
        "Without an API key the endpoint answers this machine alone",
        "Put a key into a file, and start the launcher with: {command}",
        command=command("serve", "--api-key", "FILE"),
    )
    return Refusal(HTTPStatus.FORBIDDEN, error)


def _too_often(wait_s: float) -> Refusal:
    seconds = math.ceil(wait_s)
    error = RequestError(
        "Too many wrong API keys came from this address", "Try again in {seconds} s.", seconds=seconds
    )
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, {"Retry-After": str(seconds)})
