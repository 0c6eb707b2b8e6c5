"""How the guard says no: a status and a sentence in the reader's language, as plain text; where Gradio's own
scripts and clients send events, as JSON, of which they show the ``detail`` or the ``error``; at the endpoint,
in OpenAI's form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

from launcher.errors import LauncherError
from launcher.ui.headers import Receive, Scope, Send
from launcher.ui.texts import language_of, say_error_in_lines

_POLICY_VIOLATION = 1008
"""The code that closes a WebSocket which is not wanted (RFC 6455, 7.4.1)."""

_GRADIO = "/gradio_api/"
ENDPOINT_PATH = re.compile(r"/(v1(/.*)?|health|metrics)\Z", re.DOTALL)
"""Every path of the endpoint, open or not; what looks at requests from outside of the root path finds it at
the end of theirs."""
_HAS_UNREAD_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT)


def is_request(scope: Scope) -> bool:
    """Whether it is anything from outside, not the server's own start and end."""
    return scope["type"] in ("http", "websocket")


@dataclass(frozen=True)
class Refusal:
    """Answers a request with an error; a WebSocket is closed before it is opened. An ASGI app."""

    status: int
    error: LauncherError
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
            return
        await self.response(scope)(scope, receive, send)

    def response(self, scope: Scope) -> Response:
        """The answer to a request of HTTP."""
        asked = Headers(scope=scope)
        language = language_of(asked.get("accept-language"))
        text = say_error_in_lines(self.error, language)
        # Nobody is going to read the rest of such a request.
        closing = {"Connection": "close"} if self.status in _HAS_UNREAD_BODY else {}
        headers = {**self.headers, **closing}
        if ENDPOINT_PATH.search(scope["path"]):
            return JSONResponse(openai_form(text, self.status), self.status, headers)
        is_event = _GRADIO in scope["path"] and asked.get("content-type", "").startswith("application/json")
        if is_event:
            return JSONResponse({"error": text, "detail": text}, self.status, headers)
        return PlainTextResponse(text, self.status, headers)


_KINDS = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
"""OpenAI's names of what is wrong, by the status."""


def openai_form(
    text: str, status: int, field: str | None = None, code: str | None = None
) -> dict[str, object]:
    """An error as OpenAI's clients read it.

    Args:
        text: the sentence.
        status: of the answer, or what it would be.
        field: which field of the request is at fault.
        code: what programs tell errors apart by.
    """
    other = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    kind = _KINDS.get(HTTPStatus(status), other)
    return {"error": {"message": text, "type": kind, "param": field, "code": code}}
