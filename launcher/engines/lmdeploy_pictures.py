"""Pictures for LMDeploy, opened and made into pixels once: kept by content, within a bound.

LMDeploy decodes and prepares every picture of a conversation at every question. It takes whatever is given as
a picture to its model's ``processor`` (transformers' InternVL: to its ``preprocess``); so it is given what is
pixels already, and something in that place that passes it on: here for models that cut pictures into tiles,
in ``lmdeploy_scaled_pictures`` for those that scale them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from launcher.engines.kept import Kept
from launcher.engines.picture_key import picture_key
from launcher.families import PictureBudget
from launcher.images import load_picture

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import Tensor

KEPT_BYTES = 256 << 20
"""Of pixels, in the worker's RAM: sixteen pictures of 13 tiles at 16 bits, many more of small ones."""

Way = Callable[[PictureBudget], "Callable[[Image.Image], Tensor]"]
"""A budget -> what makes pixels of a picture within it."""


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """Stands where LMDeploy expects a picture. ``size`` is the picture's, width and height, ``tokens`` how
    many stand for it in the prompt."""

    size: tuple[int, int]
    tokens: int
    pixels: Tensor


class OpenedPictures:
    """The pictures of one pipeline.

    Args:
        way: a budget -> what makes pixels of a picture within it.
        budget: of one picture.
        dtype: of the pixels as LMDeploy takes them.
    """

    def __init__(self, way: Way, budget: PictureBudget, dtype: torch.dtype) -> None:
        self._budgets = {False: budget, True: budget.coarse()}
        self._to_pixels = {one_tile: way(each) for one_tile, each in self._budgets.items()}
        self._dtype = dtype
        self._kept = Kept[OpenedPicture](KEPT_BYTES)
        self._one_at_a_time = Lock()

    def open(self, path: Path, *, one_tile: bool) -> OpenedPicture:
        """The picture in the file, within the budget or as one tile.

        Raises:
            PictureError: it cannot be read.
        """
        key = picture_key(path, one_tile=one_tile)
        with self._one_at_a_time:  # who asks about the same picture meanwhile finds it opened
            if (picture := self._kept.get(key)) is None:
                whole = load_picture(path)
                pixels = self._to_pixels[one_tile](whole).to(self._dtype)
                tokens = self._budgets[one_tile].tokens(*whole.size)
                picture = OpenedPicture(whole.size, tokens, pixels)
                self._kept.put(key, picture, pixels.nbytes)
        return picture


def tiled_pictures(vision_model: Any, budget: PictureBudget) -> OpenedPictures:
    """Those of a model of LMDeploy's whose ``processor`` cuts tiles; it is replaced.

    Args:
        vision_model: LMDeploy's.
        budget: of one picture.
    """
    cut = vision_model.processor
    vision_model.processor = _pixels_of

    def way(within: PictureBudget) -> Callable[[Image.Image], Tensor]:
        told = dict(within.engine_options)
        return lambda picture: cut(picture, told)

    return OpenedPictures(way, budget, vision_model.mm_feature_dtype)


def cut_pictures(vision_model: Any, way: Way, budget: PictureBudget) -> OpenedPictures:
    """Those of a model of LMDeploy's that has transformers' InternVL processor, which nobody can tell how
    many tiles one picture may have. Its ``preprocess`` is replaced, which calls that.

    Args:
        vision_model: LMDeploy's.
        way: a budget -> (a picture -> float32 (tiles, 3, size, size)).
        budget: of one picture.
    """

    def preprocess(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """LMDeploy's older form: what was made of the messages' pictures, in a message of its own behind
        them."""
        shown = [
            {
                "pixel_values": picture.pixels,
                "image_tokens": picture.tokens,
                "image_token_id": vision_model.image_token_id,
            }
            for _, picture, _ in vision_model.collect_multimodal_items(messages)
        ]
        return [*messages, {"role": "preprocess", "content": shown}]

    vision_model.preprocess = preprocess
    return OpenedPictures(way, budget, vision_model.mm_feature_dtype)


def _pixels_of(picture: OpenedPicture, _options: dict[str, Any]) -> Tensor:
    """In place of a vision model's own ``processor``."""
    return picture.pixels
