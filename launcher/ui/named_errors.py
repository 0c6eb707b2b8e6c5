"""Says something where Gradio says nothing: a program whose request cannot be read at all (too few values, a
file that was never uploaded) gets ``{"error": null}`` from it. Pure ASGI."""

from __future__ import annotations

import json

from launcher.errors import RequestError
from launcher.ui.headers import App, Message, Receive, Scope, Send
from launcher.ui.texts import language_of, say_error

_SILENT = b'{"error": null}'
_CALLS = "/gradio_api/call/"


class NamedErrors:
    """Puts words into the answers of the endpoints; every other response passes through untouched."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_call = scope["type"] == "http" and _CALLS in scope["path"]
        await self._app(scope, receive, _with_words(scope, send) if is_call else send)


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
        if _SILENT in message.get("body", b""):
            message = {**message, "body": message["body"].replace(_SILENT, named)}
        await send(message)

    return send_named
