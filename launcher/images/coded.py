"""A picture before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coded:
    """What a decoder is given, and what has to be done with what it gives back.

    ``format`` is Pillow's name, or HEIF. ``content`` holds pixels and what they need, nothing else. ``size``
    is width and height as stored; ``pixel_bytes`` is the memory that each of their pixels takes, all copies
    together, while more than ``memory.MAX_KEPT_PIXELS`` of them are decoded and converted.
    """

    format: str
    content: bytes
    size: tuple[int, int]
    pixel_bytes: float
    orientation: int = 1
    """As EXIF numbers them; 1 is upright."""
    profile: bytes | None = None
    """An ICC profile: what the colours mean."""
    has_end: bool = True
    """False for a JPEG whose end mark is missing: whether its pixels are all there must be found out."""
    can_shrink: bool = False
    """A decoder can make the picture smaller before it takes memory for all of it."""
    place: tuple[int, int] = (0, 0)
    canvas: tuple[int, int] | None = None
    """Where on which canvas an animation's first picture stands."""


MOST_PARTS = 1 << 16
"""Segments or chunks of one file. Pictures have some thousands at most; a file of 20 MB could have millions,
and each takes time."""


def check_parts(count: int) -> None:
    """Raises ValueError where a file has more parts than any picture."""
    if count > MOST_PARTS:
        raise ValueError("too many parts")
