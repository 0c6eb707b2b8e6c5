"""AVIF and HEIC files, as boxes (ISO/IEC 14496-12, 8.11: meta, iinf, iloc): where their items lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_HEAD, _FULL = 8, 4
"""Bytes of a box's size and type, and of a full box's version and flags."""


@dataclass
class _Reader:
    """Big-endian numbers, one after the other."""

    content: bytes
    at: int

    def number(self, size: int) -> int:
        """Raises ValueError at the end."""
        taken = self.content[self.at : self.at + size]
        if len(taken) < size:
            raise ValueError("a box is cut short")
        self.at += size
        return int.from_bytes(taken, "big")


def places_of(content: bytes, kinds: tuple[bytes, ...]) -> list[tuple[int, int]]:
    """Begin and end in the file of all that items of these types hold.

    Raises:
        ValueError: there are no items, or the boxes are damaged.
    """
    boxes = dict(_boxes(content, 0, len(content)))
    if b"meta" not in boxes:
        raise ValueError("no items")
    begin, end = boxes[b"meta"]
    inner = dict(_boxes(content, begin + _FULL, end))
    if b"iinf" not in inner or b"iloc" not in inner:
        return []
    wanted = {item for item, kind in _types(content, *inner[b"iinf"]) if kind in kinds}
    within = inner.get(b"idat", (0, 0))[0]
    places = [
        (start, stop)
        for item, start, stop in _extents(content, inner[b"iloc"][0], within)
        if item in wanted and start < stop <= len(content)
    ]
    if sum(stop - start for start, stop in places) > len(content):
        raise ValueError("items overlap")
    return places


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Type, and where what is in the box begins and ends."""
    while at + _HEAD <= end:
        reader = _Reader(content, at)
        size, kind = reader.number(4), content[at + 4 : at + 8]
        reader.at += 4
        if size == 1:
            size = reader.number(8)
        stop = end if size == 0 else at + size
        if stop < reader.at or stop > end:
            raise ValueError("a box is larger than what it lies in")
        yield kind, (reader.at, stop)
        at = stop


def _types(content: bytes, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Number and type of each item."""
    counted = 2 if content[begin] == 0 else 4
    for kind, (at, _) in _boxes(content, begin + _FULL + counted, end):
        version = content[at]
        if kind == b"infe" and version >= 2:
            reader = _Reader(content, at + _FULL)
            item = reader.number(2 if version == 2 else 4)
            yield item, content[reader.at + 2 : reader.at + 6]


def _extents(content: bytes, begin: int, within: int) -> Iterator[tuple[int, int, int]]:
    """Number of an item, begin and end of a part of it; ``within`` is where parts that lie in the meta box
    are counted from."""
    version, reader = content[begin], _Reader(content, begin + _FULL)
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(reader.number(2 if version < 2 else 4)):
        item = reader.number(2 if version < 2 else 4)
        is_within = version > 0 and reader.number(2) & 15 == 1
        reader.number(2)  # of another file, which nobody has
        base = reader.number(base_size) + (within if is_within else 0)
        parts = reader.number(2)
        if parts > 1 and not offset_size + length_size:
            raise ValueError("parts without a place")  # they take no bytes here, and there may be millions
        for _ in range(parts):
            reader.number(index_size if version > 0 else 0)
            start = base + reader.number(offset_size)
            yield item, start, start + reader.number(length_size)
