"""A PNG file -> its pixels' chunks alone, whole and with right checksums; the first picture that a browser
shows of an animated one.

Texts, profiles and whatever else stands beside the pixels never decide whether there is a picture: a chunk
that is damaged, or whose text unpacks to gigabytes, is left out unread. Whether all pixels are there is found
out by unpacking them, without keeping them: Pillow can be told by anybody in the process to make up what is
missing.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from launcher.images.coded import Coded, check_parts
from launcher.images.jpeg import orientation_in
from launcher.images.png_colours import profile_from

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KNOWN_CHUNK = re.compile(b"....(?=IDAT|PLTE|tRNS|IEND|fdAT|fcTL)", re.DOTALL)
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> samples for each pixel."""

_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: where each pass begins, and how far its pixels are apart."""

_MAX_PROFILE_BYTES = 4_000_000
_MOST_SUMMED = 8
"""Times the file's bytes that are added up to checksums: each once, but for wrong chunks that overlap."""

_PACKED_AT_ONCE, _UNPACKED_AT_ONCE = 1 << 16, 1 << 20


@dataclass
class _Picture:
    """One picture of the file: its header's bytes and its packed pixels."""

    header: bytes
    pixels: list[bytes] = field(default_factory=list)
    place: tuple[int, int] = (0, 0)


def coded_png(content: bytes) -> Coded:
    """The picture in a PNG file.

    Raises:
        ValueError: there is none.
    """
    default, first, beside = _read(content)
    width, height, depth, colour = struct.unpack(">IIBB", default.header[:10])
    if not width or not height or colour not in _SAMPLES:
        raise ValueError("an impossible header")
    canvas = None
    picture = default
    if first is not None and first.pixels:
        picture, canvas = first, (width, height)
    if not _is_transparency(colour, beside.get(b"tRNS", b""), beside.get(b"PLTE", b"")):
        beside.pop(b"tRNS", None)
    chunks = [(b"IHDR", picture.header)]
    chunks += [(name, beside[name]) for name in (b"PLTE", b"tRNS") if name in beside]
    chunks += [(b"IDAT", b"".join(picture.pixels)), (b"IEND", b"")]
    return Coded(
        "PNG",
        SIGNATURE + b"".join(chunk(name, data) for name, data in chunks),
        struct.unpack(">II", picture.header[:8]),
        _pixel_bytes(depth, colour),
        orientation=orientation_in(beside.get(b"eXIf")),
        profile=_profile(beside),
        place=picture.place,
        canvas=canvas,
    )


def _is_transparency(colour: int, data: bytes, palette: bytes) -> bool:
    """Whether the data of tRNS fit the pixels; browsers leave out what does not, and show the picture."""
    if colour == 3:
        return 0 < len(data) <= len(palette) // 3
    return len(data) == {0: 2, 2: 6}.get(colour)


def check_pixels(content: bytes) -> None:
    """Unpacks what ``coded_png`` made and counts.

    Raises:
        ValueError, zlib.error: pixels are missing or damaged.
    """
    header, packed = b"", b""
    for name, data, _ in chunks_in(content):
        header = data if name == b"IHDR" else header
        packed = data if name == b"IDAT" else packed
    missing, unpacker = unpacked_bytes(header), zlib.decompressobj()
    for at in range(0, len(packed), _PACKED_AT_ONCE):
        rest = packed[at : at + _PACKED_AT_ONCE]
        while True:
            piece = unpacker.decompress(rest, _UNPACKED_AT_ONCE)
            missing -= len(piece)
            rest = unpacker.unconsumed_tail
            if missing <= 0:
                return
            if not rest and len(piece) < _UNPACKED_AT_ONCE:
                break
    raise ValueError("pixels are missing")


def _read(content: bytes) -> tuple[_Picture, _Picture | None, dict[bytes, bytes]]:
    """The default picture; the first of an animation where that is another one; the chunks beside pixels,
    those with a wrong checksum left out."""
    default: _Picture | None = None
    first: _Picture | None = None
    beside: dict[bytes, bytes] = {}
    frames = 0
    for name, data, is_right in chunks_in(content):
        if name == b"IHDR" and default is None:
            if len(data) != 13:
                raise ValueError("an impossible header")
            default = _Picture(data)
        elif default is None:
            raise ValueError("no header")
        elif name == b"IDAT":
            default.pixels.append(data)
        elif name == b"fcTL" and len(data) == 26 and b"acTL" in beside:
            frames += 1
            if frames == 1 and default.pixels:
                first = _frame(data, default.header)
        elif name == b"fdAT" and frames == 1 and first is not None:
            first.pixels.append(data[4:])
        elif name not in beside and (is_right or name == b"PLTE"):
            beside[name] = data
    if default is None or not default.pixels:
        raise ValueError("no pixels")
    return default, first, beside


def _frame(control: bytes, header: bytes) -> _Picture | None:
    """An animation's first picture; none if it does not lie on the canvas."""
    width, height, left, top = struct.unpack(">IIII", control[4:20])
    canvas_width, canvas_height = struct.unpack(">II", header[:8])
    if not width or not height or left + width > canvas_width or top + height > canvas_height:
        return None
    return _Picture(control[4:12] + header[8:], place=(left, top))


def chunks_in(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Each chunk's name, data and whether the checksum is right. After a chunk whose length is wrong the next
    one that is known is looked for.

    Raises:
        ValueError: there are more than any picture has, or wrong ones overlap in more bytes than it has.
    """
    at, parts, summed = len(SIGNATURE), 0, 0
    known = _KnownPlaces(content)
    while at + 8 <= len(content):
        parts += 1
        check_parts(parts)
        length, name = struct.unpack(">I4s", content[at : at + 8])
        if not name.isalpha():
            found = known.after(at)
            if found is None:
                return
            at = found
            continue
        data, end = content[at + 8 : at + 8 + length], at + 8 + length
        summed += len(data)
        if summed > _MOST_SUMMED * len(content):
            raise ValueError("too many chunks with wrong lengths")
        is_right = content[end : end + 4] == struct.pack(">I", zlib.crc32(name + data))
        if not is_right and name not in (b"IHDR", b"PLTE", b"IDAT", b"fdAT"):
            found = known.after(at + 8)
            end = min(end, found - 4 if found is not None else end)
        yield name, data, is_right
        if name == b"IEND":
            return
        at = end + 4


class _KnownPlaces:
    """Where chunks of known names begin; each byte of the file is searched once, as what is asked for only
    moves on."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._next: int | None = -1

    def after(self, at: int) -> int | None:
        """The first at this place or behind it; None: there is no more."""
        if self._next is not None and self._next < at:
            found = _KNOWN_CHUNK.search(self._content, at)
            self._next = found.start() if found is not None else None
        return self._next


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def unpacked_bytes(header: bytes) -> int:
    """What all pixels unpack to, by the header's data."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    bits = depth * _SAMPLES[colour]
    passes = _PASSES if interlace else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _pixel_bytes(depth: int, colour: int) -> float:
    """Pillow's own picture has a byte for grey and palettes, two for 16-bit grey, four for all else; the
    smaller one in RGB that is made of it has one for each of these pixels. The rest is what was measured."""
    if colour in (0, 3):
        return 3.4 if depth == 16 else 2.4
    return 5.9


def _profile(beside: dict[bytes, bytes]) -> bytes | None:
    """What the colours mean where that is not sRGB, as an ICC profile."""
    if b"iCCP" in beside and (profile := _unpacked_profile(beside[b"iCCP"])) is not None:
        return profile
    return None if b"sRGB" in beside else profile_from(beside.get(b"gAMA"), beside.get(b"cHRM"))


def _unpacked_profile(chunk: bytes) -> bytes | None:
    """A profile's bytes, unpacked within bounds; none where it is damaged."""
    name, _, packed = chunk.partition(b"\0")
    if not name or packed[:1] != b"\0":
        return None
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(packed[1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None
