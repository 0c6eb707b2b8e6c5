"""Uploaded file -> safe RGB picture within limits; owns what counts as a picture. It does not tile or scale
for a model.

A file is judged by its content, never by its name, and by its pixels, never by what stands beside them: what
a decoder is given holds no texts, no thumbnails and no time stamps (``png``, ``jpeg``, ``webp``). Nothing is
decoded before the file's kind, its size in bytes and its width and height have passed. All functions may be
called from several threads at once; one picture is decoded at a time, so that they take one picture's memory
at most. What was found out about a file is remembered until it changes.
"""

from __future__ import annotations

import hashlib
import struct
import threading
import warnings
import zlib
from pathlib import Path

from PIL import Image

from launcher.errors import PictureError
from launcher.images.decoding import decoded
from launcher.images.files import DEFAULT_LIMITS, PictureLimits, read_file, shown_name
from launcher.images.formats import FORMATS, LISTED, Coded, coded, format_of
from launcher.images.memory import check_memory
from launcher.images.private import make_private
from launcher.images.remembered import Remembered, mark_of

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "PictureLimits",
    "check_upload",
    "content_key",
    "has_passed",
    "is_picture",
    "load_picture",
    "make_private",
    "read_file",
    "shown_name",
]

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)
"""What decoders raise on broken or hostile files."""

_ONE_AT_A_TIME = threading.Lock()
_passed = Remembered[bool]()
_keys = Remembered[bytes]()

# Set once, not per call: warnings.catch_warnings is not safe in threads. Our own limit is the one that
# refuses.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings(
    "ignore", message="Corrupt EXIF data|Possibly corrupt EXIF", category=UserWarning, module="PIL"
)


def check_upload(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> None:
    """Refuses what is no picture, or too large, without decoding it; a picture cut short passes here.

    Raises:
        PictureError: not a regular file, not a picture, or outside the limits.
    """
    mark = mark_of(path, limits)
    if _passed.get(mark):
        return
    with _ONE_AT_A_TIME:
        _opened(path, limits)
    _passed.keep(mark, True)


def has_passed(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> bool:
    """Whether `check_upload` has let this file pass and would again, without looking into it."""
    return bool(_passed.get(mark_of(path, limits)))


def is_picture(head: bytes) -> bool:
    """Whether a file is of a picture's kind, by its first bytes."""
    return bool(format_of(head))


def content_key(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> bytes:
    """The same for files of the same bytes, whatever they are called, and for no others: a BLAKE2b digest.

    Raises:
        PictureError: there is no such file, it is none that can be read, or it is empty or too large.
    """
    mark = mark_of(path, limits)
    if (key := _keys.get(mark)) is None:
        key = hashlib.blake2b(read_file(path, limits), digest_size=32).digest()
        _keys.keep(mark, key)
    return key


def load_picture(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """Reads a picture as a browser shows it: first frame, turned upright, transparency over white, colours
    in sRGB, mode RGB. One of more than ``memory.MAX_KEPT_PIXELS`` is made smaller while it is decoded.

    Raises:
        PictureError: as for ``check_upload``, or the file is cut short or damaged.
    """
    with _ONE_AT_A_TIME:
        picture = _opened(path, limits)
        try:
            return decoded(picture)
        except _BROKEN as error:
            raise PictureError(
                "{name} is cut short or damaged, and cannot be shown",
                "Save the picture again, or try another one.",
                name=shown_name(path),
            ) from error


def _opened(path: Path, limits: PictureLimits) -> Coded:
    content = read_file(path, limits)
    try:
        picture = coded(content)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(
            "{name} has too many pixels to be opened safely",
            "Make the picture smaller.",
            name=shown_name(path),
        ) from error
    except _BROKEN as error:
        raise PictureError(
            "{name} is not a picture that can be read",
            "Upload a picture file: {formats}.",
            name=shown_name(path),
            formats=LISTED,
        ) from error
    check_memory(picture, path, limits)
    return picture
