"""By what is kept of a picture is found again: its content, and whether it is shown as one tile."""

from __future__ import annotations

from pathlib import Path

from launcher.images import content_key


def picture_key(path: Path, *, one_tile: bool) -> bytes:
    """The same for files of the same bytes that are cut alike, and for no others.

    Raises:
        PictureError: the file cannot be read.
    """
    return content_key(path) + (b"/1" if one_tile else b"")
