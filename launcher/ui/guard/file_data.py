"""Files that a request names: only pictures that were uploaded here, or came with the page.

Gradio fetches what a file's ``path`` or ``url`` says where that is an address, and checks where a file lies
only in some places of a request. So no request with such a name gets to it. A body is read whole, within its
bound, before anybody else sees it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from launcher.errors import RequestError
from launcher.settings import shown
from launcher.ui.guard.bodies import UPLOAD
from launcher.ui.guard.refusals import Refusal
from launcher.ui.headers import App, Message, Receive, Scope, Send

FILE = "/gradio_api/file="
_OWN_FOLDER = re.compile(r"[0-9a-f]{64}")
"""Gradio stores each file in a folder named by a hash of its content and a secret of this installation."""


class UploadedFiles:
    """What lies in Gradio's upload folder as Gradio puts it there; nothing else of that folder."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).resolve()
        self._given = Path(folder)

    def __contains__(self, path: object) -> bool:
        name = str(path)
        file = Path(name)
        is_where_gradio_puts_it = (
            str(file) == name
            and ".." not in file.parts
            and file.parent.parent in (self._folder, self._given)
            and _OWN_FOLDER.fullmatch(file.parent.name) is not None
            and "\0" not in name
        )
        try:
            return is_where_gradio_puts_it and file.is_file() and not file.is_symlink()
        except OSError:  # no file can be called so
            return False

    def find(self, path: Path) -> Path | None:
        """The file that a page names, None if there is none. A page that was open while the server was
        started anew names it by its place in the folder of the run before."""
        moved = self._given / path.parent.name / path.name
        return next((each for each in (path, moved) if each in self), None)


class FileData:
    """Refuses bodies that name any other file, wherever in them it stands, and those that are no JSON."""

    def __init__(self, app: App, files: UploadedFiles) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] == UPLOAD:
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            return
        error = self._wrong_in(body)
        if error is not None:
            await Refusal(HTTPStatus.BAD_REQUEST, error)(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)

    def _wrong_in(self, body: bytes) -> RequestError | None:
        try:
            values = list(_dicts(json.loads(body))) if body else []
        except (ValueError, RecursionError):
            return RequestError(
                "The request cannot be read: it is not JSON, or nested too deeply",
                "{address} lists what the endpoint takes, in order.",
                address="/gradio_api/info",
            )
        for value in values:
            if (name := self._foreign_name(value)) is not None:
                return RequestError(
                    "{name} is not a picture that was uploaded here",
                    "Upload it first, and name it as the upload's answer does.",
                    name=shown(name),
                )
        return None

    def _foreign_name(self, value: dict[str, Any]) -> str | None:
        """The path or address of a file that is none of ours; None where there is none, or it is."""
        path, url = value.get("path"), value.get("url")
        if isinstance(path, str) and path not in self._files:
            return path
        if isinstance(url, str) and not (isinstance(path, str) and unquote(url).endswith(FILE + path)):
            return url
        is_file = isinstance(value.get("meta"), dict) and value["meta"].get("_type") == "gradio.FileData"
        return shown(path) if is_file and not isinstance(path, str) else None


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON value, the value itself included; without recursion, however deep it is."""
    ahead = [value]
    while ahead:
        match ahead.pop():
            case dict() as found:
                yield found
                ahead += found.values()
            case list() as items:
                ahead += items


async def _whole(receive: Receive) -> bytes | None:
    """The request's body; None where the client is gone before its end."""
    body, is_whole = bytearray(), False
    while not is_whole:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Hands out the body, then whatever else comes: that the client has gone."""
    is_handed_out = False

    async def replay() -> Message:
        nonlocal is_handed_out
        if is_handed_out:
            return await receive()
        is_handed_out = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
