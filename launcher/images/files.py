"""A path -> the bytes of a regular file within limits."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import PictureError
from launcher.images.formats import LISTED

_MAX_NAME_SHOWN = 80


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What an uploaded picture may have: bytes on disk, width x height, and the longer of these."""

    max_bytes: int = 20_000_000
    max_pixels: int = 64_000_000
    max_side: int = 65_535


DEFAULT_LIMITS = PictureLimits()


def read_file(path: Path, limits: PictureLimits) -> bytes:
    """Opens without following a link and without waiting on a pipe, then judges the open file itself.

    Raises:
        PictureError: there is no such file, it is none that can be read, or it is empty or too large.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise PictureError("There is no file {name}", "Check the path.", name=shown_name(path)) from error
    except (OSError, ValueError) as error:
        raise _not_regular(path) from error
    try:
        with os.fdopen(number, "rb", closefd=False) as file:
            _check(os.fstat(number), path, limits)
            return file.read(limits.max_bytes)
    except OSError as error:
        raise _not_regular(path) from error
    finally:
        os.close(number)


def shown_name(path: Path) -> str:
    """The file's own name, safe to print: no folders, no control characters, not too long."""
    name = "".join(letter if letter.isprintable() else "?" for letter in path.name) or str(path)
    return name if len(name) <= _MAX_NAME_SHOWN else f"{name[: _MAX_NAME_SHOWN - 1]}…"


def _check(facts: os.stat_result, path: Path, limits: PictureLimits) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise _not_regular(path)
    if facts.st_size == 0:
        raise PictureError(
            "{name} is empty", "Upload a picture file: {formats}.", name=shown_name(path), formats=LISTED
        )
    if facts.st_size > limits.max_bytes:
        raise PictureError(
            "{name} has {size_mb:.1f} MB, more than the {limit_mb:g} MB a picture may have",
            "Make the picture smaller, or save it as JPEG.",
            name=shown_name(path),
            size_mb=facts.st_size / 1e6,
            limit_mb=limits.max_bytes / 1e6,
        )


def _not_regular(path: Path) -> PictureError:
    return PictureError(
        "{name} is not a file that can be read", "Give the picture file itself.", name=shown_name(path)
    )
