"""A WebP file -> its first picture's chunks alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from launcher.images.coded import Coded, check_parts

_ALPHA, _ANIMATION = 0x10, 0x02


def coded_webp(content: bytes) -> Coded:
    """The picture in a WebP file, of an animation the first.

    Raises:
        ValueError: there is none.
    """
    chunks: dict[bytes, bytes] = {}
    for name, data in chunks_in(content):
        chunks.setdefault(name, data)
    header = chunks.get(b"VP8X", b"")
    if len(header) >= 10 and header[0] & _ANIMATION and b"ANMF" in chunks:
        flags, kept = header[0] & (_ALPHA | _ANIMATION), [b"ANIM", b"ANMF"]
    elif b"VP8L" in chunks:
        flags, kept = 0, [b"VP8L"]
    elif b"VP8 " in chunks:
        flags, kept = (_ALPHA, [b"ALPH", b"VP8 "]) if b"ALPH" in chunks and header else (0, [b"VP8 "])
    else:
        raise ValueError("no pixels")
    size = _size(header, chunks, flags)
    first = [(b"VP8X", struct.pack("<I", flags) + header[4:10])] if flags else []
    body = b"WEBP" + b"".join(
        chunk(name, data) for name, data in [*first, *((name, chunks[name]) for name in kept)]
    )
    return Coded(
        "WEBP",
        b"RIFF" + struct.pack("<I", len(body)) + body,
        size,
        16,
        profile=chunks.get(b"ICCP"),
    )


def _size(header: bytes, chunks: dict[bytes, bytes], flags: int) -> tuple[int, int]:
    if flags:
        return 1 + int.from_bytes(header[4:7], "little"), 1 + int.from_bytes(header[7:10], "little")
    if b"VP8L" in chunks:
        bits = int.from_bytes(chunks[b"VP8L"][1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", chunks[b"VP8 "][6:10])
    return width & 0x3FFF, height & 0x3FFF


def chunks_in(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and data, whatever the file says of its own length.

    Raises:
        ValueError: there are more than any picture has.
    """
    at, parts = 12, 0
    while at + 8 <= len(content):
        parts += 1
        check_parts(parts)
        name, length = struct.unpack("<4sI", content[at : at + 8])
        yield name, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a WebP file."""
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
