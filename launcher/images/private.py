"""An uploaded file without what its camera and its programs wrote beside the pixels: places, times, names,
thumbnails, comments. What a browser needs to show it as before stays: pixels, colours, how it is turned.

An upload is shown in the conversation as the file that it is, so this is done before anybody can ask for it.
Nothing is decoded. What is no picture, or is damaged, stays as it is: it is refused when it is asked about.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from launcher.images import gif, jpeg, png, webp
from launcher.images.formats import format_of
from launcher.images.isobmff import places_of

_PNG_SHOWN = frozenset(
    b"IHDR PLTE tRNS IDAT IEND acTL fcTL fdAT gAMA cHRM sRGB iCCP cICP sBIT bKGD pHYs".split()
)
_PNG_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"fcTL", b"fdAT", b"IEND")
_ICC, _EXIF = b"ICC_PROFILE\0", b"Exif\0\0"
_ITEMS_BESIDE = (b"Exif", b"mime", b"uri ")
_EMPTY_TIFF = {b"II*\0": b"II*\0\x08\0\0\0", b"MM\0*": b"MM\0*\0\0\0\x08"}
"""How EXIF begins by its byte order -> the beginning of one that says nothing, if zeros follow: libavif reads
no file whose EXIF is none."""

_WEBP_BESIDE = {b"EXIF": 0x08, b"XMP ": 0x04}
"""A chunk's name -> its flag in the header."""

_GIF_REPEATS = re.compile(rb"(?P<program>NETSCAPE2\.0|ANIMEXTS1\.0)(?P<times>\x01..)", re.DOTALL)

_BROKEN = (ValueError, LookupError, OSError, struct.error, zlib.error, SyntaxError, RuntimeError, MemoryError)


def make_private(path: Path) -> None:
    """Rewrites a file in its place; it never grows.

    Raises:
        OSError: it cannot be written.
    """
    content = path.read_bytes()
    try:
        kept = without_private_facts(content)
    except _BROKEN:
        return
    if kept != content and len(kept) <= len(content):
        with path.open("r+b") as file:
            file.write(kept)
            file.truncate()


def without_private_facts(content: bytes) -> bytes:
    """The file's content with pixels, colours and orientation alone.

    Raises:
        ValueError, or what walkers and decoders raise: it is no picture that can be read.
    """
    match format_of(content):
        case "JPEG":
            return _jpeg(content)
        case "PNG":
            return _png(content)
        case "WebP":
            return _webp(content)
        case "GIF":
            return _gif(content)
        case "AVIF" | "HEIC":
            return _without_items(content)
    return content


def _jpeg(content: bytes) -> bytes:
    orientation = jpeg.coded_jpeg(content).orientation
    kept = []
    for marker, segment in jpeg.segments(content):
        body = segment[4:]
        if marker not in jpeg.LEFT_OUT or (marker == 0xE2 and body.startswith(_ICC)):
            kept.append(segment or b"\xff\xd9")
    turned = _EXIF + _exif(orientation)
    told = b"\xff\xe1" + struct.pack(">H", 2 + len(turned)) + turned if orientation > 1 else b""
    # JFIF's own segment has to come first.
    at = 1 if kept and kept[0][:2] == b"\xff\xe0" else 0
    return b"".join([b"\xff\xd8", *kept[:at], told, *kept[at:]])


def _png(content: bytes) -> bytes:
    kept, orientation = [], 1
    for name, data, is_right in png.chunks_in(content):
        if not is_right:
            if name in _PNG_NEEDED:
                raise ValueError("a damaged chunk")
        elif name == b"eXIf":
            orientation = jpeg.orientation_in(data)
        elif name in _PNG_SHOWN:
            if name == b"IDAT" and orientation > 1:
                kept.append(png.chunk(b"eXIf", _exif(orientation)))
                orientation = 1
            kept.append(png.chunk(name, data))
    return png.SIGNATURE + b"".join(kept)


def _webp(content: bytes) -> bytes:
    kept, hidden = [b"WEBP"], 0
    for name, data in webp.chunks_in(content):
        if name in _WEBP_BESIDE:
            hidden |= _WEBP_BESIDE[name]
        else:
            kept.append(webp.chunk(name, data))
    body = b"".join(kept)
    if hidden and body[4:8] == b"VP8X":
        body = body[:12] + bytes([body[12] & ~hidden]) + body[13:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _gif(content: bytes) -> bytes:
    """Its pictures, how long each is shown, and how often all are."""
    return b"".join(_gif_block(kind, block) for kind, block in gif.blocks(content))


def _gif_block(kind: int, block: bytes) -> bytes:
    if kind != gif.EXTENSION or block[1] == gif.GRAPHIC_CONTROL:
        return block
    if block[1] == gif.APPLICATION and (repeats := _GIF_REPEATS.match(gif.data_of(block))):
        return b"\x21\xff\x0b" + repeats["program"] + b"\x03" + repeats["times"] + b"\0"
    return b""


def _without_items(content: bytes) -> bytes:
    """Overwritten where they stand, as other parts of the file are found by their place; such a file says
    elsewhere how it is turned."""
    kept = bytearray(content)
    for begin, end in places_of(content, _ITEMS_BESIDE):
        item = content[begin:end]
        at, empty = next(
            ((item.find(each), empty) for each, empty in _EMPTY_TIFF.items() if each in item), (0, b"")
        )
        kept[begin + at : end] = empty[: end - begin - at].ljust(end - begin - at, b"\0")
    return bytes(kept)


def _exif(orientation: int) -> bytes:
    """EXIF that says how a picture is turned and nothing else (TIFF 6.0: one directory of one entry)."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
