"""Pictures for those of LMDeploy's models that have transformers' Qwen-VL processor: scaled by us, passed on.

LMDeploy calls the processor with a prompt and its pictures (Qwen3-VL), or its part for pictures with one at a
time (Qwen2-VL and Qwen2.5-VL). What stands in for it here makes patches of pixels that are there already, and
token ids as the transformers engine does; so all engines see the same, and a picture is scaled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from launcher.engines.lmdeploy_pictures import OpenedPicture, OpenedPictures, Way
from launcher.families import PictureBudget
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.pixel_rule import PixelRule
from launcher.models.qwen_vl_pixels import patch_grid, to_patches

Encode = Callable[[str], list[int]]


class PassingPixels:
    """In place of the processor's part for pictures."""

    def __init__(self, rule: PixelRule) -> None:
        self._rule = rule
        self.merge_size = rule.merge

    def __call__(self, images: Sequence[OpenedPicture], **_: Any) -> dict[str, Tensor]:
        """All pictures' patches, one behind the other, and the grid of each."""
        return {
            "pixel_values": torch.cat([to_patches(each.pixels, self._rule) for each in images]),
            "image_grid_thw": torch.cat([patch_grid(each.pixels, self._rule) for each in images]),
        }


class PassingProcessor:
    """In place of the processor. ``token`` stands for a picture in a prompt, ``token_id`` for each token of
    one; ``encode`` makes token ids of a text."""

    def __init__(self, rule: PixelRule, token: str, token_id: int, encode: Encode) -> None:
        self.image_processor = PassingPixels(rule)
        self._token, self._token_id, self._encode = token, token_id, encode

    def __call__(
        self, *, text: Sequence[str], images: Sequence[OpenedPicture], **_: Any
    ) -> dict[str, Tensor]:
        """The one prompt's token ids, (1, tokens), with places for all of its pictures, and these."""
        seen = self.image_processor(images)
        counts = seen["image_grid_thw"].prod(dim=1) // self.image_processor.merge_size**2
        first, *others = text[0].split(self._token)
        ids = self._encode(first)
        for count, piece in zip(counts.tolist(), others, strict=True):
            ids += [self._token_id] * count + self._encode(piece)
        return {"input_ids": torch.tensor([ids]), **seen}


def scaled_pictures(vision_model: Any, way: Way, budget: PictureBudget, encode: Encode) -> OpenedPictures:
    """Those of a model of LMDeploy's whose ``processor`` is transformers'; it is replaced.

    Args:
        vision_model: LMDeploy's.
        way: a budget -> (a picture -> float32 (1, 3, height, width)).
        budget: of one picture.
        encode: a prompt's piece -> token ids.
    """
    assert isinstance(budget, PixelBudget)
    vision_model.processor = PassingProcessor(
        budget.rule, vision_model.image_token, vision_model.image_token_id, encode
    )
    return OpenedPictures(way, budget, vision_model.mm_feature_dtype)
