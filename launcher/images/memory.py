"""What a picture may take of memory while it is decoded, above what the process had."""

from __future__ import annotations

from pathlib import Path

from launcher.errors import PictureError
from launcher.images.coded import Coded
from launcher.images.files import PictureLimits, shown_name

MAX_BYTES = 200 << 20
"""For any picture, all copies of it together; docs/measurements.md has what was measured."""

MAX_KEPT_PIXELS = 16_000_000
"""A larger picture is made smaller by a whole factor: no model looks at more than twelve tiles of 490 x 490
pixels of it, whatever its shape."""

_FILE_COPIES = 2
_BANDS_BYTES = 4 << 20


def shrink_factor(size: tuple[int, int]) -> int:
    """The least whole number by which a picture's sides are divided so that it may be kept."""
    factor = 1
    while -(-size[0] // factor) * -(-size[1] // factor) > MAX_KEPT_PIXELS:
        factor += 1
    return factor


def check_memory(picture: Coded, path: Path, limits: PictureLimits) -> None:
    """Refuses a picture that has more pixels than any may have, or than its kind can be decoded with.

    Raises:
        PictureError: it has.
    """
    width, height = picture.size if picture.canvas is None else picture.canvas
    if max(width, height) > limits.max_side:
        raise PictureError(
            "{name} has {width} x {height} pixels; a side may have {limit} at most",
            "Make the picture smaller.",
            name=shown_name(path),
            width=width,
            height=height,
            limit=limits.max_side,
        )
    most = min(limits.max_pixels, _most_pixels(picture))
    if width * height > most:
        raise PictureError(
            "{name} has {width} x {height} pixels, more than the {limit_mp:g} million a picture may have",
            "Make the picture smaller.",
            name=shown_name(path),
            width=width,
            height=height,
            limit_mp=most // 100_000 / 10,
        )


def _most_pixels(picture: Coded) -> int:
    left = MAX_BYTES - _BANDS_BYTES - _FILE_COPIES * len(picture.content)
    return int(left / picture.pixel_bytes)
