"""What a file is, by its first bytes: a PDF, a video, or neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from launcher.images import is_picture

Kind = Literal["pdf", "mp4", "matroska"]

ACCEPTED = "PDF / MP4 / MOV / WebM / MKV"
"""For messages, in any language."""

_HEAD_BYTES = 1024
"""A PDF may have so much before its mark."""


def kind_of(path: Path) -> Kind | None:
    """None for a picture, for anything else, and for a file that cannot be read: who opens it says why."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(number, "rb") as file:
            return kind_in(file.read(_HEAD_BYTES))
    except (OSError, ValueError):
        return None


def kind_in(head: bytes) -> Kind | None:
    """The same by a file's first kilobyte."""
    if is_picture(head):
        return None
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mp4"
    return "pdf" if b"%PDF-" in head else None
