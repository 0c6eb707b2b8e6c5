"""The page's own JavaScript (the folder ``page``, whose files say what they do) and how Gradio's events call
it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher.documents import MAX_BYTES
from launcher.images import DEFAULT_LIMITS
from launcher.ui.headers import App, Message, Receive, Scope, Send
from launcher.ui.settings import SETTING_NAMES
from launcher.ui.texts import LANGUAGES, say

_HEAD = b"<head>"
_PARTS = (
    "places.js",
    "server.js",
    "turns.js",
    "pictures.js",
    "documents.js",
    "files.js",
    "kept.js",
    "archive.js",
    "shelf.js",
    "compare.js",
    "earlier.js",
    "reload.js",
    "seen.js",
    "ends.js",
    "fetch.js",
    "ahead.js",
    "launcher.js",
)
"""One scope, in this order."""

COMPARE = "@compare"
"""What a column of the Compare tab has behind its model's name; by itself the tab (``page/turns.js``)."""

TOO_LARGE = (
    "{name} has {size} MB, more than the {limit} MB a picture may have",
    "Make the picture smaller, or save it as JPEG.",
)
DOCUMENT_TOO_LARGE = (
    "{name} has {size} MB, more than the {limit} MB a document or a video may have",
    "Make it smaller, or give pictures of what matters.",
)


LOST = (
    "The connection to the server was lost.",
    "The question is still here; ask again once the launcher runs.",
)

TEXTS = {
    "heading": "Conversations kept in this browser ({count})",
    "new": "New conversation",
    "import": "Import",
    "rename": "Rename",
    "exports": "Export:",
    "export": "Export as {format}",
    "delete": "Delete",
    "sure": "For good?",
    "note": "Nothing of it is kept on the server. Whoever uses this browser can read it.",
    "gone": "Pictures left out, as this browser has not kept them: {count}.",
    "busy": "An answer is coming in this tab. Stop it first, or wait for its end.",
    "foreign": "{name} is not a conversation that was exported here as JSON.",
    "amend": "Change this question and go on from there",
    "carry": "Ask other models this",
    "none": "No model is chosen. Choose two or more above.",
    "see": "{name}: show it as the model sees it",
    "looking": "Looking …",
    "close": "Close",
    "reading": "Reading {name} …",
    "token": "{count} token",
    "tokens": "{count} tokens",
    "counted": "{told}: {tokens}",
    "unreached": "The launcher did not answer. Press the button again once it runs.",
    "unsent": "The launcher did not answer. Add the files again once it runs.",
    "failed": "The browser could not keep or show the conversation: {reason}",
}
"""Key in the files of the folder ``page`` -> English text."""


def page_script() -> str:
    """The script with the texts, names and limits that it needs."""
    settings = {
        "settingNames": SETTING_NAMES,
        "compare": COMPARE,
        "lost": {language: "\n".join(say(part, language) for part in LOST) for language in LANGUAGES},
        "texts": {
            language: {key: say(text, language) for key, text in TEXTS.items()} for language in LANGUAGES
        },
        "limitBytes": DEFAULT_LIMITS.max_bytes,
        "documentBytes": MAX_BYTES,
        "tooLarge": {
            language: "\n".join(say(part, language) for part in TOO_LARGE) for language in LANGUAGES
        },
        "documentTooLarge": {
            language: "\n".join(say(part, language) for part in DOCUMENT_TOO_LARGE) for language in LANGUAGES
        },
    }
    folder = Path(__file__).with_name("page")
    parts = "".join((folder / name).read_text("utf-8") for name in _PARTS)
    return f"window.launcher = ((settings) => {{\n{parts}}})({json.dumps(settings)});\n"


def connect(tab: str, events: Sequence[str]) -> str:
    """A component's ``js_on_load``: the script tells of news by its events from now on, which are the tab's,
    or the page's own where ``tab`` is ""."""
    told = ", ".join(f"{event}: () => trigger({json.dumps(event)})" for event in events)
    return f"launcher.connect({json.dumps(tab)}, {{{told}}})"


BUILD_AHEAD = "launcher.buildAhead((id) => trigger('gradio_tab_select', {component_id: id}))"
"""In a component's ``js_on_load``: the page's tabs are built before they are selected. By this event Gradio's
frontend tells itself that a tab was selected, and builds it; its ``render_children`` does nothing (6.31)."""


def call(function: str, *values: Any) -> str:
    """One of the script's functions as Gradio's ``js``: it is given the values, which are JSON's, then the
    event's inputs."""
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
