"""The route that serves pictures: those that were uploaded here or came with the page, whole, and as pictures
alone."""

from __future__ import annotations

from http import HTTPStatus

from launcher.errors import RequestError
from launcher.settings import shown
from launcher.ui.guard.file_data import FILE, UploadedFiles
from launcher.ui.guard.refusals import Refusal
from launcher.ui.headers import App, Message, Receive, Scope, Send

SANDBOX = b"default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A file that is opened by itself runs nothing, loads nothing, and is of no origin. (The style is the
browser's own, around a picture.)"""

_PARTS_OF_FILES = (b"range", b"if-range")
"""Gradio answers a range with the request's own headers, and fails where there are two."""


class ServedFiles:
    """Guards the file route."""

    def __init__(self, app: App, files: UploadedFiles) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not scope["path"].startswith(FILE):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(FILE)
        if path not in self._files:
            error = RequestError(
                "{name} is not a picture that was uploaded here",
                "Upload it first, and name it as the upload's answer does.",
                name=shown(path),
            )
            await Refusal(HTTPStatus.FORBIDDEN, error)(scope, receive, send)
            return

        async def send_sandboxed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0].lower() != b"content-security-policy"]
                message = {**message, "headers": [*kept, (b"content-security-policy", SANDBOX)]}
            await send(message)

        headers = [header for header in scope["headers"] if header[0] not in _PARTS_OF_FILES]
        await self._app({**scope, "headers": headers}, receive, send_sandboxed)
