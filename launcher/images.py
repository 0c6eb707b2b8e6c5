"""Uploaded file -> safe RGB picture within limits; owns what counts as a picture. It does not tile or scale
for a model.

A file is judged by its content, never by its name. Nothing is decoded before the file's kind, its size in
bytes and the width and height in its header have passed. All functions may be called from several threads at
once.
"""

from __future__ import annotations

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from launcher.errors import PictureError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_TRY_ANOTHER = "Upload a PNG, JPEG, WebP, GIF or BMP file."
_MAX_NAME_SHOWN = 80

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 0x0112) -> what turns the stored pixels upright. 1 and anything unknown: leave as
they are."""

# What Pillow's decoders raise on broken or hostile files, beside OSError for the plainly truncated ones.
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
)
_BROKEN_LOW = (struct.error, zlib.error, Warning)

# Set once, not per call: warnings.catch_warnings is not safe in threads. Our own limit is the one that
# refuses.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings(
    "ignore", message="Corrupt EXIF data|Possibly corrupt EXIF", category=UserWarning, module="PIL"
)


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What an uploaded picture may cost: bytes on disk, and width x height once decoded (3 bytes of memory
    each)."""

    max_bytes: int = 20_000_000
    max_pixels: int = 64_000_000


DEFAULT_LIMITS = PictureLimits()


def check_upload(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> None:
    """Refuses what is no picture, or too large, from the file's header alone; a picture cut short passes
    here.

    Raises:
        PictureError: not a regular file, not a picture, or outside the limits.
    """
    with _opened(path, limits):
        pass


def load_picture(path: Path, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """Reads a picture as a person sees it: first frame, turned upright by EXIF, transparency over white, mode
    RGB.

    Raises:
        PictureError: as for ``check_upload``, or the file is cut short or damaged.
    """
    with _opened(path, limits) as image:
        # A switch of Pillow's for the whole process, which LMDeploy turns on when it is imported: half a
        # picture would pass.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            orientation = _orientation(image)
            upright = _as_rgb(image)
            turn = _TURN.get(orientation)
            return upright.transpose(turn) if turn is not None else upright
        except (*_BROKEN, *_BROKEN_LOW) as error:
            raise PictureError(
                "{name} is cut short or damaged, and cannot be shown",
                "Save the picture again, or try another one.",
                name=_shown(path),
            ) from error


@contextmanager
def _opened(path: Path, limits: PictureLimits) -> Iterator[Image.Image]:
    with _regular_file(path, limits) as file:
        image = _identified(file, path)
        with image:
            _check_pixels(image, path, limits)
            yield image


def _regular_file(path: Path, limits: PictureLimits) -> IO[bytes]:
    """Opens without following a link and without waiting on a pipe, then judges the open file itself."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise PictureError("There is no file {name}", "Check the path.", name=_shown(path)) from error
    except (OSError, ValueError) as error:
        raise _not_regular(path) from error
    try:
        _check_bytes(os.fstat(number), path, limits)
    except BaseException:
        os.close(number)
        raise
    return os.fdopen(number, "rb")


def _check_bytes(facts: os.stat_result, path: Path, limits: PictureLimits) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise _not_regular(path)
    if facts.st_size == 0:
        raise PictureError("{name} is empty", _TRY_ANOTHER, name=_shown(path))
    if facts.st_size > limits.max_bytes:
        raise PictureError(
            "{name} has {size_mb:.1f} MB, more than the {limit_mb:g} MB a picture may have",
            "Make the picture smaller, or save it as JPEG.",
            name=_shown(path),
            size_mb=facts.st_size / 1e6,
            limit_mb=limits.max_bytes / 1e6,
        )


def _not_regular(path: Path) -> PictureError:
    return PictureError(
        "{name} is not a file that can be read", "Give the picture file itself.", name=_shown(path)
    )


def _identified(file: IO[bytes], path: Path) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(
            "{name} has too many pixels to be opened safely", "Make the picture smaller.", name=_shown(path)
        ) from error
    except (UnidentifiedImageError, *_BROKEN, *_BROKEN_LOW) as error:
        raise PictureError(
            "{name} is not a picture that can be read", _TRY_ANOTHER, name=_shown(path)
        ) from error


def _check_pixels(image: Image.Image, path: Path, limits: PictureLimits) -> None:
    if image.width * image.height > limits.max_pixels:
        raise PictureError(
            "{name} has {width} x {height} pixels, more than the {limit_mp:g} million a picture may have",
            "Make the picture smaller.",
            name=_shown(path),
            width=image.width,
            height=image.height,
            limit_mp=limits.max_pixels / 1e6,
        )


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except (*_BROKEN, *_BROKEN_LOW):  # damaged EXIF does not spoil the picture beside it
        return 1
    return value if isinstance(value, int) else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips everything above 255 to white
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def _shown(path: Path) -> str:
    """The file's own name, safe to print: no folders, no control characters, not too long."""
    name = "".join(letter if letter.isprintable() else "?" for letter in path.name) or str(path)
    return name if len(name) <= _MAX_NAME_SHOWN else f"{name[: _MAX_NAME_SHOWN - 1]}…"
