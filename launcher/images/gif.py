"""A GIF file as its blocks (the format's specification calls them so: GIF89a, appendix A)."""

from __future__ import annotations

from collections.abc import Iterator

HEAD, IMAGE, EXTENSION, TRAILER = 0, 0x2C, 0x21, 0x3B
GRAPHIC_CONTROL, APPLICATION = 0xF9, 0xFF
"""Which extension it is: the byte after the block's first."""

_HEAD_BYTES, _IMAGE_BYTES = 13, 10


def blocks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each block: the head with its colours, then images and extensions up to the trailer,
    or to the end of a file that has none. Bytes between blocks that begin none are passed over, as by
    decoders.

    Raises:
        ValueError: a block goes on behind the file's end.
    """
    for kind, begin, end in _places(content):
        if end > len(content):
            raise ValueError("a block without its end")
        yield kind, content[begin:end]


def first_picture(content: bytes) -> bytes:
    """The head, and the first image with what says how it is shown; a file that is cut short stays so. A
    decoder that is given all that may stand before it gathers comments for minutes."""
    head, control, image = b"", b"", b""
    for kind, begin, end in _places(content):
        if kind == HEAD:
            head = content[begin:end]
        elif kind == EXTENSION and content[begin + 1 : begin + 2] == bytes([GRAPHIC_CONTROL]):
            control = content[begin:end]
        elif kind == IMAGE:
            is_whole = end <= len(content)
            image = content[begin:end] + (bytes([TRAILER]) if is_whole else b"")
            break
    return head + control + image


def _places(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each block; the last may end behind the file."""
    at = _HEAD_BYTES + _colour_bytes(content, 10)
    yield HEAD, 0, at
    while at < len(content):
        begin, kind = at, content[at]
        if kind == IMAGE:
            # The smallest code's size stands between the colours and the pixels.
            at = _data_end(content, at + _IMAGE_BYTES + _colour_bytes(content, at + 9) + 1)
        elif kind == EXTENSION:
            at = _data_end(content, at + 2)
        else:
            at += 1
        if kind in (IMAGE, EXTENSION, TRAILER):
            yield kind, begin, at
        if kind == TRAILER:
            return


def data_of(extension: bytes) -> bytes:
    """An extension's own data, without the lengths of its pieces."""
    data, at = b"", 2
    while length := extension[at]:
        data += extension[at + 1 : at + 1 + length]
        at += 1 + length
    return data


def _colour_bytes(content: bytes, at: int) -> int:
    """Of the table of colours that the flags at a place announce."""
    flags = content[at] if at < len(content) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _data_end(content: bytes, at: int) -> int:
    """Behind the pieces that begin at a place, each with its length before it, the last of none."""
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1
