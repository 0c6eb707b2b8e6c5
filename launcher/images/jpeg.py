"""A JPEG file -> its pixels' segments alone, up to its end mark."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from launcher.images.coded import Coded, check_parts

_START, _END = b"\xff\xd8", b"\xff\xd9"
# A marker's last FF alone: with all that may stand before it, a long row of them would be looked at anew
# from each of its bytes.
_MARKER = re.compile(b"\xff([^\x00\xff])", re.DOTALL)
_MARKER_IN_SCAN = re.compile(b"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
"""Markers without a length."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset([0xC2, 0xC6, 0xCA, 0xCE])
_SCAN = 0xDA
LEFT_OUT = frozenset([*range(0xE1, 0xEE), 0xEF, 0xFE])
"""All that applications may write but JFIF's and Adobe's own segments, which say what the colours are."""

_FILLERS = (b"\x00" * 64, b"\x5a" * 64)


@dataclass
class _Read:
    kept: list[bytes] = field(default_factory=list)
    frame: tuple[int, bytes] | None = None
    exif: bytes | None = None
    profile: dict[int, bytes] = field(default_factory=dict)
    has_end: bool = False


def coded_jpeg(content: bytes) -> Coded:
    """The picture in a JPEG file.

    Raises:
        ValueError: there is none.
    """
    read = _read(content)
    if read.frame is None:
        raise ValueError("no picture")
    marker, frame = read.frame
    height, width, components = struct.unpack(">HHB", frame[1:6])
    if not width or not height:
        raise ValueError("no size")
    return Coded(
        "JPEG",
        b"".join([_START, *read.kept, _END if read.has_end else b""]),
        (width, height),
        2 * _samples(frame, components) + 1.1 if marker in _PROGRESSIVE else 2.1,
        orientation=orientation_in(read.exif),
        profile=b"".join(read.profile[number] for number in sorted(read.profile)) or None,
        has_end=read.has_end,
        can_shrink=True,
    )


def endings(content: bytes) -> tuple[bytes, bytes]:
    """A picture without its end mark, with two endings that decode to different pixels wherever pixels are
    missing, and to the same where all are there."""
    scan = content.rstrip(b"\xff")  # half an end mark
    return scan + _FILLERS[0] + _END, scan + _FILLERS[1] + _END


def orientation_in(exif: bytes | None) -> int:
    """EXIF's orientation, 1 to 8; 1 where it says none or is damaged."""
    if not exif:
        return 1
    try:
        data = Image.Exif()
        data.load(exif)
        value = data.get(0x0112)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error, Warning):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _read(content: bytes) -> _Read:
    read = _Read()
    for marker, segment in segments(content):
        body = segment[4:]
        if marker == 0xD9:
            read.has_end = True
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            read.exif = read.exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            read.profile.setdefault(body[12], body[14:])
        elif marker not in LEFT_OUT:
            read.kept.append(segment)
            if marker in _FRAMES and read.frame is None and len(body) >= 6:
                read.frame = marker, body
    return read


def segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and segment, the marker's two bytes included; a scan with all its pixels. What stands between
    segments is skipped, as decoders do.

    Raises:
        ValueError: there are more than any picture has.
    """
    at, parts = 2, 0
    while (found := _MARKER.search(content, at)) is not None:
        parts += 1
        check_parts(parts)
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            yield marker, b""
            return
        if marker in _ALONE:
            continue
        end = at + max(2, int.from_bytes(content[at : at + 2], "big"))
        if marker == _SCAN:
            after = _MARKER_IN_SCAN.search(content, end)
            end = after.start() if after is not None else len(content)
        yield marker, b"\xff" + content[at - 1 : end]
        at = end


def _samples(frame: bytes, components: int) -> float:
    """Samples for each pixel: 3 where colours are as fine as light, 1.5 where they are halved both ways."""
    factors = [divmod(frame[7 + 3 * number], 16) for number in range(components)]
    widest, highest = max(across for across, _ in factors), max(down for _, down in factors)
    return sum(across * down for across, down in factors) / (widest * highest or 1)
