"""Pictures for LMDeploy, opened and cut into tiles once: kept by content, within a bound.

LMDeploy decodes and tiles every picture of a conversation at every question. It takes whatever is given as a
picture to its model's ``processor``; so it is given what is tiled already, and a processor that passes that
on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from launcher.engines.kept import Kept
from launcher.engines.picture_key import picture_key
from launcher.families import PictureBudget
from launcher.images import load_picture

if TYPE_CHECKING:
    from torch import Tensor

KEPT_BYTES = 256 << 20
"""Of pixels, in the worker's RAM: sixteen pictures of 13 tiles at 16 bits, many more of small ones."""


@dataclass(frozen=True, slots=True)
class TiledPicture:
    """Stands where LMDeploy expects a picture. ``size`` is the picture's, width and height, ``tokens`` how
    many stand for it in the prompt."""

    size: tuple[int, int]
    tokens: int
    pixels: Tensor


class TiledPictures:
    """The pictures of one pipeline.

    Args:
        vision_model: LMDeploy's, whose ``processor`` makes tiles; it is replaced.
        budget: of one picture.
    """

    def __init__(self, vision_model: Any, budget: PictureBudget) -> None:
        self._cut = vision_model.processor
        self._dtype = vision_model.mm_feature_dtype
        self._budget = budget
        self._kept = Kept[TiledPicture](KEPT_BYTES)
        self._one_at_a_time = Lock()
        vision_model.processor = _pixels_of

    def open(self, path: Path, *, one_tile: bool) -> TiledPicture:
        """The picture in the file, cut within the budget or to one tile.

        Raises:
            PictureError: it cannot be read.
        """
        key = picture_key(path, one_tile=one_tile)
        budget = self._budget.limited(1) if one_tile else self._budget
        with self._one_at_a_time:  # who asks about the same picture meanwhile finds it cut
            if (picture := self._kept.get(key)) is None:
                whole = load_picture(path)
                pixels = self._cut(whole, dict(budget.engine_options)).to(self._dtype)
                picture = TiledPicture(whole.size, budget.tokens(*whole.size), pixels)
                self._kept.put(key, picture, pixels.nbytes)
        return picture


def _pixels_of(picture: TiledPicture, _options: dict[str, Any]) -> Tensor:
    """In place of a vision model's own ``processor``."""
    return picture.pixels
