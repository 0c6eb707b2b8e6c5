"""A coded picture -> what a browser shows of it, in RGB."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from PIL import Image

from launcher.images.coded import Coded
from launcher.images.colours import Colours
from launcher.images.jpeg import endings
from launcher.images.memory import shrink_factor
from launcher.images.png import check_pixels

_BAND_PIXELS = 1 << 20
"""Pictures are converted in bands of so many pixels, so that there are never two of full size."""

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 0x0112) -> what turns the stored pixels upright. 1 and anything unknown: leave as
they are."""


class _MissingPixels(Exception):
    """A decoder wants more than there is. No OSError: Pillow can be told to overlook those."""


class _Whole(io.BytesIO):
    """Bytes that say so when they are at their end; Pillow makes pixels up there if anybody in the process
    has asked it to, as LMDeploy does when it is imported."""

    is_decoded = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.is_decoded and not data and size:
            raise _MissingPixels
        return data


def decoded(picture: Coded) -> Image.Image:
    """The picture, upright and in RGB; smaller by a whole factor where it has more pixels than are kept.

    Raises:
        ValueError, or what decoders raise: pixels are missing or damaged.
    """
    if picture.format == "PNG":
        check_pixels(picture.content)
    if not picture.has_end:
        picture = _with_end(picture)
    image = _loaded(picture, picture.content)
    factor = shrink_factor(image.size)
    image = _in_rgb(image, Colours(picture.profile), factor)
    if picture.canvas is not None:
        image = _placed(image, picture, factor)
    turn = _TURN.get(picture.orientation)
    return image if turn is None else image.transpose(turn)


def _loaded(picture: Coded, content: bytes) -> Image.Image:
    if picture.format == "HEIF":
        return _loaded_heif(content)
    file = _Whole(content)
    image = Image.open(file, formats=[picture.format])
    if image.size != picture.size:
        raise ValueError("a decoder sees another size")
    if picture.can_shrink and (factor := shrink_factor(image.size)) > 1:
        # JPEG's decoder divides by 2, 4 or 8; it rounds the divisor that it is asked for down.
        divisor = next(power for power in (2, 4, 8) if power >= min(factor, 8))
        image.draft(image.mode, (image.width // divisor, image.height // divisor))
    file.is_decoded = True
    try:
        image.load()
    except _MissingPixels as error:
        raise ValueError("pixels are missing") from error
    image.__dict__.pop("_decoder", None)  # WebP's and AVIF's hold their own copies of the picture
    return image


def _loaded_heif(content: bytes) -> Image.Image:
    import pillow_heif

    coded: Any = pillow_heif.open_heif(content)
    return Image.frombuffer(coded.mode, coded.size, coded.data, "raw", coded.mode, coded.stride, 1)


def _with_end(picture: Coded) -> Coded:
    """The picture with an end mark, if all of its pixels are there without."""
    one, other = endings(picture.content)
    if _fingerprint(_loaded(picture, one)) != _fingerprint(_loaded(picture, other)):
        raise ValueError("pixels are missing")
    return replace(picture, content=one, has_end=True)


def _fingerprint(image: Image.Image) -> bytes:
    digest = hashlib.blake2b()
    for _, band in _bands(image, 1):
        digest.update(band.tobytes())
    return digest.digest()


def _in_rgb(image: Image.Image, colours: Colours, factor: int) -> Image.Image:
    if image.mode == "RGB" and factor == 1 and colours.leaves(image):
        return image
    width, height = -(-image.width // factor), -(-image.height // factor)
    seen = Image.new("RGB", (width, height))
    for top, band in _bands(image, factor):
        rgb = colours.seen(band)
        seen.paste(rgb if factor == 1 else rgb.reduce(factor), (0, top // factor))
    return seen


def _bands(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Top and band, each as high as a multiple of the factor."""
    rows = max(1, _BAND_PIXELS // image.width // factor) * factor
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _placed(image: Image.Image, picture: Coded, factor: int) -> Image.Image:
    assert picture.canvas is not None
    width, height = picture.canvas
    canvas = Image.new("RGB", (-(-width // factor), -(-height // factor)), "white")
    canvas.paste(image, (picture.place[0] // factor, picture.place[1] // factor))
    return canvas
