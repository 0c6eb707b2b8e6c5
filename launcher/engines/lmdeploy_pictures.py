"""Pictures for LMDeploy, opened and made into pixels once: kept by content, within a bound.

LMDeploy decodes and prepares every picture of a conversation at every question. It takes whatever is given as
a picture to its model's ``processor``; so it is given what is pixels already, and a processor that passes
that on: here for models that cut pictures into tiles, in ``lmdeploy_scaled_pictures`` for those that scale
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from launcher.engines.kept import Kept
from launcher.images import content_key, load_picture

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import Tensor

KEPT_BYTES = 256 << 20
"""Of pixels, in the worker's RAM: sixteen pictures of 13 tiles at 16 bits, many more of small ones."""


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """Stands where LMDeploy expects a picture. ``size`` is the picture's, width and height."""

    size: tuple[int, int]
    pixels: Tensor


class OpenedPictures:
    """The pictures of one pipeline.

    Args:
        to_pixels: what makes pixels of one.
        dtype: of the pixels as LMDeploy takes them.
    """

    def __init__(self, to_pixels: Callable[[Image.Image], Tensor], dtype: torch.dtype) -> None:
        self._to_pixels = to_pixels
        self._dtype = dtype
        self._kept = Kept[OpenedPicture](KEPT_BYTES)
        self._one_at_a_time = Lock()

    def open(self, path: Path) -> OpenedPicture:
        """The picture in the file.

        Raises:
            PictureError: it cannot be read.
        """
        key = content_key(path)
        with self._one_at_a_time:  # who asks about the same picture meanwhile finds it opened
            if (picture := self._kept.get(key)) is None:
                whole = load_picture(path)
                pixels = self._to_pixels(whole).to(self._dtype)
                picture = OpenedPicture(whole.size, pixels)
                self._kept.put(key, picture, pixels.nbytes)
        return picture


def tiled_pictures(vision_model: Any, options: Mapping[str, int]) -> OpenedPictures:
    """Those of a model of LMDeploy's whose ``processor`` cuts tiles; it is replaced.

    Args:
        vision_model: LMDeploy's.
        options: what its processor is told with each picture.
    """
    cut, told = vision_model.processor, dict(options)
    vision_model.processor = _pixels_of
    return OpenedPictures(lambda picture: cut(picture, told), vision_model.mm_feature_dtype)


def _pixels_of(picture: OpenedPicture, _options: dict[str, Any]) -> Tensor:
    """In place of a vision model's own ``processor``."""
    return picture.pixels
