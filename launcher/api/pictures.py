"""The pictures of one request: data: URLs -> checked files in a folder that goes with the request."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.errors import EngineError, PictureError
from launcher.images import DEFAULT_LIMITS, check_upload
from launcher.settings import shown

MOST_PICTURES = 64
"""In one request, which brings those of the whole conversation along."""

_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_MOST_CHARACTERS = DEFAULT_LIMITS.max_bytes * 4 // 3 + 4


class RequestPictures:
    """Stores pictures in ``folder``, in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def store(self, url: str, field: str) -> Path:
        """The file of a picture.

        Args:
            url: as the request has it.
            field: where it has it.

        Raises:
            PictureError: it is no data: URL, no picture, or outside the limits.
            EngineError: there is no room for it.
        """
        content = _content(url, field)
        self._count += 1
        if self._count > MOST_PICTURES:
            raise PictureError(
                "The request has more than {most} pictures",
                "Begin a new conversation, or send fewer pictures.",
                most=MOST_PICTURES,
                field=field,
            )
        path = self._folder / f"picture-{self._count}"
        try:
            path.write_bytes(content)
        except OSError as error:
            raise EngineError(
                "The server could not store the picture: {reason}",
                "Send it again once there is room on the server's disk.",
                reason=error.strerror or "",
            ) from error
        check_upload(path)
        return path


@contextmanager
def request_pictures(folder: Path) -> Iterator[RequestPictures]:
    """Pictures in a new folder below this one, readable by its user alone; it is deleted afterwards."""
    own = Path(tempfile.mkdtemp(prefix="request-", dir=folder))
    try:
        yield RequestPictures(own)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _content(url: str, field: str) -> bytes:
    found = _DATA.match(url)
    if found is None and url[:8].lower().startswith(("http://", "https://")):
        raise PictureError(
            "{field} is an address: nothing is fetched from the network",
            "Send the picture itself: data:image/png;base64,…",
            field=field,
        )
    if found is None:
        raise PictureError(
            "{field} cannot be {value}: it is no data: URL",
            "Send the picture itself: data:image/png;base64,…",
            field=field,
            value=shown(url[:80]),
        )
    if len(url) - found.end() > _MOST_CHARACTERS:
        raise PictureError(
            "A picture may have at most {limit_mb:g} MB",
            "Make the picture smaller, or save it as JPEG.",
            limit_mb=DEFAULT_LIMITS.max_bytes / 1e6,
            field=field,
        )
    try:
        return base64.b64decode(url[found.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            "{field} cannot be read: it is no base64",
            "Send the whole file in base64, without line breaks: data:image/png;base64,…",
            field=field,
        ) from error
