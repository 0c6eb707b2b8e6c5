"""What a file is, by its first bytes, and what of it a decoder is given. The one list of what is accepted."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, UnidentifiedImageError

from launcher.images.coded import Coded
from launcher.images.gif import first_picture
from launcher.images.jpeg import coded_jpeg, orientation_in
from launcher.images.png import coded_png
from launcher.images.webp import coded_webp

__all__ = ["FORMATS", "LISTED", "Coded", "coded"]

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}


def coded(content: bytes) -> Coded:
    """The picture that a file holds, not decoded yet.

    Raises:
        ValueError, or what decoders raise: it holds none that can be read.
    """
    for is_ours, read in _READERS.values():
        if is_ours(content):
            return read(content)
    raise UnidentifiedImageError("none of the known formats")


def format_of(content: bytes) -> str:
    """Which of FORMATS a file is by its first bytes; "" for none."""
    return next((name for name, (is_ours, _) in _READERS.items() if is_ours(content)), "")


def _coded_gif(content: bytes) -> Coded:
    return _by_pillow("GIF", first_picture(content), {"P": 3, "L": 3})


def _coded_bmp(content: bytes) -> Coded:
    return _by_pillow("BMP", content, {"P": 2.1, "L": 2.1, "1": 2.1})


def _coded_avif(content: bytes) -> Coded:
    return _by_pillow("AVIF", content, {"RGB": 14})


def _by_pillow(kind: str, content: bytes, pixel_bytes: dict[str, float]) -> Coded:
    """A format that Pillow reads whole; ``pixel_bytes`` by mode, 16 in any other."""
    with Image.open(io.BytesIO(content), formats=[kind]) as image:
        # EXIF's own: Pillow's ``getexif`` takes XMP's word too, which browsers do not.
        orientation = orientation_in(image.info.get("exif")) if kind == "AVIF" else 1
        profile = image.info.get("icc_profile") if kind == "AVIF" else None
        size, cost = image.size, pixel_bytes.get(image.mode, 16)
    return Coded(kind, content, size, cost, orientation, profile)


def _coded_heif(content: bytes) -> Coded:
    """libheif turns the picture itself, as the file's own properties say; EXIF repeats them."""
    import pillow_heif

    image = pillow_heif.open_heif(content)
    deep = image.info.get("bit_depth", 8) > 8
    cost = {("RGB", False): 7.5, ("RGB", True): 10}.get((image.mode, deep), 14)
    return Coded("HEIF", content, image.size, cost, profile=image.info.get("icc_profile"))


def _brands(content: bytes) -> set[bytes]:
    """Who can read a file of the ISO base media kind: its major brand, then the compatible ones."""
    if content[4:8] != b"ftyp":
        return set()
    box = content[8 : min(int.from_bytes(content[:4], "big"), 256)]
    return {box[at : at + 4] for at in range(0, len(box), 4)}


_READERS: dict[str, tuple[Callable[[bytes], bool], Callable[[bytes], Coded]]] = {
    "PNG": (lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"), coded_png),
    "JPEG": (lambda content: content.startswith(b"\xff\xd8\xff"), coded_jpeg),
    "WebP": (lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP", coded_webp),
    "GIF": (lambda content: content.startswith((b"GIF87a", b"GIF89a")), _coded_gif),
    "BMP": (lambda content: content.startswith(b"BM"), _coded_bmp),
    "AVIF": (lambda content: bool(_brands(content) & _AVIF_BRANDS), _coded_avif),
    "HEIC": (lambda content: bool(_brands(content) & _HEIF_BRANDS), _coded_heif),
}

FORMATS = tuple(_READERS)
"""As a person calls them."""

LISTED = " / ".join(FORMATS)
"""For messages, in any language."""
