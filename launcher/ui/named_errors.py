"""Says something where Gradio says nothing: a program whose request cannot be read at all (too few values, a
file that was never uploaded) gets ``{"error": null}`` from it. Pure ASGI."""

from __future__ import annotations

import json

from launcher.errors import RequestError
from launcher.ui.headers import App, Message, Receive, Scope, Send
from launcher.ui.texts import language_of, say_error

_SILENT = (b'{"error": null}', b'{"error":null}')
_EVENTS = ("/gradio_api/call/", "/gradio_api/queue/data")
"""Where answers come from, for plain HTTP, and for Gradio's own client and page."""


class NamedErrors:
    """Puts words into such answers; every other response passes through untouched."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        has_events = scope["type"] == "http" and any(part in scope["path"] for part in _EVENTS)
        await self._app(scope, receive, _with_words(scope, send) if has_events else send)


def _with_words(scope: Scope, send: Send) -> Send:
    accepted = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    error = RequestError(
        "The request cannot be read, or something went wrong on the server.",
        hint="{address} lists what the endpoint takes, in order; the terminal that runs the page says more.",
        address="/gradio_api/info",
    )
    said = "\n".join(say_error(error, language_of(accepted.decode("latin-1"))))
    named = json.dumps({"error": said}).encode()

    async def send_named(message: Message) -> None:
        """An event is one piece, which names no length."""
        body = message.get("body", b"")
        for silent in _SILENT:
            body = body.replace(silent, named)
        await send({**message, "body": body} if "body" in message else message)

    return send_named
