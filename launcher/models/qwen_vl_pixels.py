"""Picture -> Qwen-VL's pixels -> patches, with Pillow and torch alone.

The same arithmetic as transformers' ``Qwen2VLImageProcessorPil``: one bicubic resize to the size that
``launcher.families`` chooses, colours normalised; patches in the order in which squares of ``merge`` x
``merge`` of them become tokens. Owns neither opening files (``launcher.images``) nor the tower.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from launcher.families import PictureBudget
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.pixel_rule import PixelRule, scaled
from launcher.families.common.qwen_vl import FRAMES


def scaler(budget: PictureBudget) -> Callable[[Image.Image], Tensor]:
    """What makes pixels of a picture, float32 (1, 3, height, width)."""
    assert isinstance(budget, PixelBudget)
    rule = budget.rule
    return lambda picture: to_pixels(picture, rule)


def to_pixels(picture: Image.Image, rule: PixelRule) -> Tensor:
    """Normalised pixels, float32 (1, 3, height, width)."""
    size = scaled(picture.width, picture.height, rule)
    resized = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    unit = torch.from_numpy(np.array(resized)).permute(2, 0, 1).unsqueeze(0).to(torch.float32).div(255)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (rule.mean, rule.std))
    return unit.sub_(mean).div_(std).contiguous()


def to_patches(pixels: Tensor, rule: PixelRule) -> Tensor:
    """(1, 3, height, width) -> (patches, 3 * frames * side * side): a picture is two frames of the same."""
    side, merge = rule.patch_px, rule.merge
    _, colours, height, width = pixels.shape
    squares = pixels.view(
        colours, height // (side * merge), merge, side, width // (side * merge), merge, side
    ).permute(1, 4, 2, 5, 0, 3, 6)  # rows and columns of squares, of patches in one, colours, a patch
    frames = squares.unsqueeze(5).expand(*squares.shape[:5], FRAMES, side, side)
    return frames.reshape(-1, colours * FRAMES * side * side)


def patch_grid(pixels: Tensor, rule: PixelRule) -> Tensor:
    """What transformers and LMDeploy call ``image_grid_thw``, (1, 3): frames, rows and columns of patches."""
    return torch.tensor([[1, pixels.shape[2] // rule.patch_px, pixels.shape[3] // rule.patch_px]])
