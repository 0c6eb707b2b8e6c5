"""Pictures for LMDeploy, opened and cut into tiles once: kept by content, within a bound.

LMDeploy decodes and tiles every picture of a conversation at every question. It takes whatever is given as a
picture to its model's ``processor``; so it is given what is tiled already, and a processor that passes that
on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from launcher.engines.kept import Kept
from launcher.images import content_key, load_picture

if TYPE_CHECKING:
    from torch import Tensor

KEPT_BYTES = 256 << 20
"""Of pixels, in the worker's RAM: sixteen pictures of 13 tiles at 16 bits, many more of small ones."""


@dataclass(frozen=True, slots=True)
class TiledPicture:
    """Stands where LMDeploy expects a picture. ``size`` is the picture's, width and height."""

    size: tuple[int, int]
    pixels: Tensor


class TiledPictures:
    """The pictures of one pipeline.

    Args:
        vision_model: LMDeploy's, whose ``processor`` makes tiles; it is replaced.
        options: what it is told with each picture.
    """

    def __init__(self, vision_model: Any, options: Mapping[str, int]) -> None:
        self._cut = vision_model.processor
        self._dtype = vision_model.mm_feature_dtype
        self._options = dict(options)
        self._kept = Kept[TiledPicture](KEPT_BYTES)
        self._one_at_a_time = Lock()
        vision_model.processor = _pixels_of

    def open(self, path: Path) -> TiledPicture:
        """The picture in the file.

        Raises:
            PictureError: it cannot be read.
        """
        key = content_key(path)
        with self._one_at_a_time:  # who asks about the same picture meanwhile finds it cut
            if (picture := self._kept.get(key)) is None:
                whole = load_picture(path)
                pixels = self._cut(whole, self._options).to(self._dtype)
                picture = TiledPicture(whole.size, pixels)
                self._kept.put(key, picture, pixels.nbytes)
        return picture


def _pixels_of(picture: TiledPicture, _options: dict[str, Any]) -> Tensor:
    """In place of a vision model's own ``processor``."""
    return picture.pixels
