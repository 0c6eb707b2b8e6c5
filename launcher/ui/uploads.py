"""Uploads that do not end well: a clear sentence in the reader's language, and nothing left behind. Pure ASGI
around Gradio's own upload.

Gradio deletes what it has written of a file only where the request itself is wrong, not where the disk is
full or the page is closed in the middle; it keeps files that come under another name than it asks for, and
holds fields without a file in memory. So its parser takes files alone here, under the one name, and few.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

import gradio.route_utils
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from launcher.errors import PictureError
from launcher.images import DEFAULT_LIMITS, make_private
from launcher.ui.headers import App, Message, Receive, Scope, Send
from launcher.ui.texts import language_of, say_error_in_lines

MAX_UPLOAD_BYTES = 32_000_000
"""Above the picture limit of ``launcher.images``, whose message names the file; the page itself sends nothing
larger than that limit."""

MOST_FILES = 20
"""In one request: a browser sends all pictures of one drop together."""

_LOG = logging.getLogger(__name__)
_UPLOAD = "/gradio_api/upload"
_FIELD = "files"
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""What Gradio answers in its own words."""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_written: ContextVar[list[Any]] = ContextVar("_written")
"""The temporary files of the upload at hand."""


class Uploads:
    """Answers for uploads that fail, and deletes what there is of their files."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not scope["path"].endswith(_UPLOAD):
            await self._app(scope, receive, send)
            return
        files: list[Any] = []
        _written.set(files)
        status, reason = 0, ""

        async def send_unless_refused(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if status == HTTPStatus.OK and message.get("body"):
                await asyncio.to_thread(_make_private, message["body"])
            if status not in _REFUSED:
                await send(message)

        try:
            await self._app(scope, receive, send_unless_refused)
        except ClientDisconnect:
            return
        except OSError as error:
            _LOG.exception("A picture could not be stored")
            is_full = error.errno in _DISK_FULL
            status = HTTPStatus.INSUFFICIENT_STORAGE if is_full else HTTPStatus.INTERNAL_SERVER_ERROR
            reason = error.strerror or ""
        finally:
            if status != HTTPStatus.OK:
                _delete(files)
        if refusal := _refusal(status, reason):
            language = language_of(Headers(scope=scope).get("accept-language"))
            text = say_error_in_lines(refusal, language)
            await PlainTextResponse(text, status)(scope, receive, send)


def _make_private(answer: bytes) -> None:
    """Before anybody is told where the files are. Gradio's answer is a list of paths, in one piece."""
    for path in json.loads(answer):
        make_private(Path(path))


def _refusal(status: int, reason: str) -> PictureError | None:
    match status:
        case HTTPStatus.BAD_REQUEST:
            return PictureError(
                "The upload cannot be read",
                "Send at most {most} pictures, as files of a form, each in a part named {field}.",
                most=MOST_FILES,
                field=_FIELD,
            )
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return PictureError(
                "A picture may have at most {limit_mb:g} MB",
                "Make the picture smaller, or save it as JPEG.",
                limit_mb=DEFAULT_LIMITS.max_bytes / 1e6,
            )
        case HTTPStatus.INSUFFICIENT_STORAGE:
            return PictureError(
                "The server has no room left for pictures: the disk of its temporary folder is full",
                "Your question is still here; send the picture again once there is room.",
            )
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            return PictureError(
                "The server could not store the picture: {reason}",
                "Your question is still here; send the picture again.",
                reason=reason,
            )
    return None


def _delete(files: list[Any]) -> None:
    for file in files:
        with contextlib.suppress(OSError):  # what was not written yet finds no room either
            file.close()
        Path(file.name).unlink(missing_ok=True)


class _StrictParser(gradio.route_utils.GradioMultiPartParser):
    """Gradio's own, which takes nothing but files named _FIELD, and whose temporary files are known to
    `Uploads`."""

    _charset = property(lambda _self: "utf-8", lambda _self, _asked: None)
    """Of names: no other, whatever the request asks for. Python has some that fail in ways of their own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "max_files": MOST_FILES, "max_fields": 0})
        self._files_to_close_on_error = _written.get(self._files_to_close_on_error)

    def on_headers_finished(self) -> None:
        """Looks at a part before any of its content has come."""
        super().on_headers_finished()
        if self._current_part.field_name != _FIELD:
            raise MultiPartException(f"A part is not named {_FIELD}.")

    async def parse(self) -> FormData:
        """Reads the request. Gradio takes a part's head that is too long for a file that is."""
        try:
            return await super().parse()
        except MultiPartException as error:
            if error.message.startswith("Headers"):
                raise MultiPartException("A part's head is too long.") from error
            raise


gradio.route_utils.GradioMultiPartParser = _StrictParser  # type: ignore[misc]
