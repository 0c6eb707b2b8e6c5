"""The page's own JavaScript (``page.js``, which says what it does) and how Gradio's events call it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from launcher.images import DEFAULT_LIMITS
from launcher.ui.headers import App, Message, Receive, Scope, Send
from launcher.ui.texts import Language, say

_HEAD = b"<head>"
_LANGUAGES: tuple[Language, ...] = ("en", "zh")

TOO_LARGE = (
    "{name} has {size} MB, more than the {limit} MB a picture may have",
    "Make the picture smaller, or save it as JPEG.",
)


def page_script() -> str:
    """The script with the texts and limits that it needs."""
    settings = {
        "limitBytes": DEFAULT_LIMITS.max_bytes,
        "tooLarge": {
            language: "\n".join(say(part, language) for part in TOO_LARGE) for language in _LANGUAGES
        },
    }
    script = Path(__file__).with_name("page.js").read_text("utf-8")
    return script.replace("SETTINGS", json.dumps(settings), 1)


def call(function: str, *values: str | int) -> str:
    """One of the script's functions as Gradio's ``js``: it is given the values, then the event's inputs."""
    given = "".join(f"{json.dumps(value)}, " for value in values)
    return f"(...inputs) => launcher.{function}({given}...inputs)"


class HeadScripts:
    """Puts scripts at the head of the page, before Gradio's own; every other response passes through
    untouched. Pure ASGI."""

    def __init__(self, app: App, scripts: Sequence[str]) -> None:
        self._app = app
        self._head = _HEAD + "".join(f"<script>\n{script}</script>" for script in scripts).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        await self._app(scope, receive, self._with_scripts(send) if is_page else send)

    def _with_scripts(self, send: Send) -> Send:
        held: list[Message] = []

        async def send_page(message: Message) -> None:
            """Holds the start back until the body, whose length it names, is known; the page is one piece."""
            if message["type"] == "http.response.start":
                held.append(message)
                return
            if held:
                start = held.pop()
                if not message.get("more_body"):
                    body = message.get("body", b"").replace(_HEAD, self._head, 1)
                    others = [
                        (name, value) for name, value in start["headers"] if name.lower() != b"content-length"
                    ]
                    start = {**start, "headers": [*others, (b"content-length", str(len(body)).encode())]}
                    message = {**message, "body": body}
                await send(start)
            await send(message)

        return send_page
