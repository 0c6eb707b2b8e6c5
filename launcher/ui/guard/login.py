"""Who may come in, where a name and a password are asked for: HTTP Basic, which browsers, curl and Gradio's
client all speak. No cookie is set, so there is none to steal and no session to forge."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
from http import HTTPStatus

from starlette.datastructures import Headers

from launcher.door import Credentials
from launcher.errors import RequestError
from launcher.ui.guard.rates import Rate, address_of
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send

FAILURES_A_MINUTE = 10
"""For each address; afterwards not even the right password is looked at."""

_ASKS = {"WWW-Authenticate": 'Basic realm="launcher", charset="UTF-8"'}


class Login:
    """Lets those in who know the credentials; what they sent is not handed on."""

    def __init__(self, app: App, credentials: Credentials, failures: Rate | None = None) -> None:
        self._app = app
        self._right = _digests(credentials.user.encode(), credentials.password.encode())
        self._failures = failures or Rate(FAILURES_A_MINUTE, 60)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if not is_request(scope):
            await self._app(scope, receive, send)
            return
        address, given = address_of(scope), Headers(scope=scope).get("authorization")
        if given is not None and (wait_s := self._failures.wait_s(address)):
            await self._refuse_too_often(scope, receive, send, wait_s)
        elif given is not None and self._is_right(given):
            await self._app(without_authorization(scope), receive, send)
        else:
            if given is not None:
                self._failures.happened(address)
            error = RequestError(
                "This page asks for a name and a password",
                "They are what the launcher was started with: --auth USER:FILE.",
            )
            await Refusal(HTTPStatus.UNAUTHORIZED, error, _ASKS)(scope, receive, send)

    def _is_right(self, given: str) -> bool:
        """Compares both parts, whichever is wrong, in a time that tells nothing of them: not even how long
        they are, as their digests are compared."""
        user, password = _digests(*_read(given))
        is_user = hmac.compare_digest(user, self._right[0])
        is_password = hmac.compare_digest(password, self._right[1])
        return is_user and is_password

    async def _refuse_too_often(self, scope: Scope, receive: Receive, send: Send, wait_s: float) -> None:
        seconds = math.ceil(wait_s)
        error = RequestError(
            "Too many wrong passwords came from this address",
            "Try again in {seconds} s.",
            seconds=seconds,
        )
        await Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, {"Retry-After": str(seconds)})(
            scope, receive, send
        )


def without_authorization(scope: Scope) -> Scope:
    """The request without what its sender proved with."""
    others = [header for header in scope.get("headers", ()) if header[0] != b"authorization"]
    return {**scope, "headers": others}


def _digests(user: bytes, password: bytes) -> tuple[bytes, bytes]:
    return hashlib.sha256(user).digest(), hashlib.sha256(password).digest()


def _read(given: str) -> tuple[bytes, bytes]:
    """User and password of an Authorization header; both empty where it is of another kind."""
    scheme, _, encoded = given.partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return user, password
