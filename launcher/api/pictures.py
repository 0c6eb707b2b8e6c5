"""The pictures of one request: data: URLs, and what was fetched -> checked files in a folder that goes with
the request."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from launcher.commands_here import command
from launcher.errors import EngineError, PictureError
from launcher.images import DEFAULT_LIMITS, check_upload
from launcher.linked_pictures.shown import is_web_address
from launcher.settings import shown

MOST_PICTURES = 64
"""In one request, which brings those of the whole conversation along."""

_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_MOST_CHARACTERS = DEFAULT_LIMITS.max_bytes * 4 // 3 + 4


class RequestPictures:
    """Stores pictures in ``folder``, in the order in which they come; ``fetched`` has what lies at
    addresses."""

    def __init__(self, folder: Path, fetched: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._fetched = fetched
        self._count = 0

    def store(self, url: str, field: str) -> Path:
        """The file of a picture.

        Args:
            url: as the request has it.
            field: where it has it.

        Raises:
            PictureError: it is neither a data: URL nor fetched, no picture, or outside the limits.
            EngineError: there is no room for it.
        """
        self._count += 1
        if self._count > MOST_PICTURES:
            raise PictureError(
                "The request has more than {most} pictures",
                "Begin a new conversation, or send fewer pictures.",
                most=MOST_PICTURES,
                field=field,
            )
        content = self._fetched[url] if url in self._fetched else _content(url, field)
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
def request_pictures(folder: Path, fetched: Mapping[str, bytes]) -> Iterator[RequestPictures]:
    """Pictures in a new folder below this one, readable by its user alone; it is deleted afterwards."""
    own = Path(tempfile.mkdtemp(prefix="request-", dir=folder))
    try:
        yield RequestPictures(own, fetched)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _content(url: str, field: str) -> bytes:
    found = _DATA.match(url)
    if found is None and is_web_address(url):
        raise PictureError(
            "{field} is an address: nothing is fetched from the network",
            "Send the picture itself: data:image/png;base64,… Or start the launcher with: {command}",
            command=command("serve", "--allow-url"),
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
