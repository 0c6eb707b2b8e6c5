"""Uploads that do not end well: a clear sentence in the reader's language, and nothing left behind. Pure ASGI
around Gradio's own upload.

Gradio deletes what it has written of a file only where the request itself is wrong, not where the disk is
full or the page is closed in the middle.
"""

from __future__ import annotations

import contextlib
import errno
import logging
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

import gradio.route_utils
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from launcher.errors import PictureError
from launcher.images import DEFAULT_LIMITS
from launcher.ui.headers import App, Message, Receive, Scope, Send
from launcher.ui.texts import language_of, say_error

MAX_UPLOAD_BYTES = 32_000_000
"""Above the picture limit of ``launcher.images``, whose message names the file; the page itself sends nothing
larger than that limit."""

_LOG = logging.getLogger(__name__)
_UPLOAD = "/gradio_api/upload"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_written: ContextVar[list[Any]] = ContextVar("_written")
"""The temporary files of the upload at hand."""


def is_upload(path: Path) -> bool:
    """Whether the path names a file that was uploaded to the page, or an example's picture: each lies in a
    folder of its own, named by its content."""
    folder = Path(gradio.utils.get_upload_folder()).resolve()
    return path.parent.parent == folder and ".." not in path.parts and not path.is_symlink()


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

        async def send_unless_too_large(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                await send(message)

        try:
            await self._app(scope, receive, send_unless_too_large)
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
            text = "\n".join(filter(None, say_error(refusal, language)))
            await PlainTextResponse(text, status)(scope, receive, send)


def _refusal(status: int, reason: str) -> PictureError | None:
    match status:
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


class _TellingParser(gradio.route_utils.GradioMultiPartParser):
    """Gradio's own, whose temporary files are known to `Uploads`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._files_to_close_on_error = _written.get(self._files_to_close_on_error)


gradio.route_utils.GradioMultiPartParser = _TellingParser  # type: ignore[misc]
