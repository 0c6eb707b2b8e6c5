"""Notices at once that a page was closed: the stream of its events is cut before its end. Pure ASGI.

Gradio itself notices only when an answer's next update comes; a model that loads, or thinks, sends none.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from launcher.ui.headers import App, Message, Receive, Scope, Send

_EVENTS = "/queue/data"


class ClosedPages:
    """Tells ``told`` the session of each page that went away; requests pass through untouched."""

    def __init__(self, app: App, told: Callable[[str], None]) -> None:
        self._app = app
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not scope["path"].endswith(_EVENTS):
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def send_watched(message: Message) -> None:
            nonlocal is_whole
            is_whole = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        finally:
            if not is_whole:
                for page in parse_qs(scope["query_string"].decode()).get("session_hash", []):
                    self._told(page)
