"""Pictures as they are sent to a server: data: URLs, made smaller where they have more pixels than the preset
allows, encoded once and kept by content."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

from PIL import Image

from launcher.engines.kept import Kept
from launcher.engines.picture_key import picture_key
from launcher.images import load_picture

TILE_PIXELS = 448 * 448
"""What a preset's ``max_tiles`` counts."""

USUAL_TILES = 12
"""Where the preset leaves it open."""

KEPT_BYTES = 64 << 20

_EXACT_BYTES = 1 << 20
"""A picture that takes more than this with every pixel as it is, as a photograph does, is sent as JPEG."""
_JPEG_QUALITY = 95


class SentPictures:
    """May be used from several threads at once.

    Args:
        max_tiles: of one picture, each of 448 x 448 pixels.
    """

    def __init__(self, max_tiles: int) -> None:
        self._most_pixels = max_tiles * TILE_PIXELS
        self._kept: Kept[str] = Kept(KEPT_BYTES)

    def url(self, path: Path, *, one_tile: bool = False) -> str:
        """The picture as it is sent, with one tile's pixels at most where ``one_tile`` says so.

        Raises:
            PictureError: it cannot be read.
        """
        key = picture_key(path, one_tile=one_tile)
        if (url := self._kept.get(key)) is None:
            url = _encoded(_scaled(load_picture(path), TILE_PIXELS if one_tile else self._most_pixels))
            self._kept.put(key, url, len(url))
        return url


def _scaled(picture: Image.Image, most_pixels: int) -> Image.Image:
    pixels = picture.width * picture.height
    if pixels <= most_pixels:
        return picture
    share = math.sqrt(most_pixels / pixels)
    size = (max(1, int(picture.width * share)), max(1, int(picture.height * share)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _encoded(picture: Image.Image) -> str:
    kind, content = "png", _bytes(picture, "PNG", compress_level=1)
    if len(content) > _EXACT_BYTES:
        kind, content = "jpeg", _bytes(picture, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _bytes(picture: Image.Image, form: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
