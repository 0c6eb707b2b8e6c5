"""Picture -> InternVL tiles -> pixels, with Pillow and torch alone.

The same arithmetic as LMDeploy's ``vl/model/internvl.py`` (its ``dynamic_preprocess`` and torchvision
transform): one bicubic resize to the grid that ``launcher.families`` chooses, tiles row by row, and a
thumbnail when there is more than one tile. Owns neither opening files (``launcher.images``) nor the vision
tower.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from launcher.families.common.internvl import MEAN, STD
from launcher.families.common.tile_grid import TileRule, choose_grid


def cut_tiles(picture: Image.Image, rule: TileRule) -> list[Image.Image]:
    """The picture's tiles, left to right and top to bottom, then the thumbnail; each ``size_px`` square,
    RGB."""
    picture = picture.convert("RGB")
    size = rule.size_px
    columns, rows = choose_grid(picture.width, picture.height, rule)
    whole = picture.resize((columns * size, rows * size), Image.Resampling.BICUBIC)
    corners = [(column * size, row * size) for row in range(rows) for column in range(columns)]
    tiles = [whole.crop((left, top, left + size, top + size)) for left, top in corners]
    if rule.thumbnail and len(tiles) > 1:
        tiles.append(picture.resize((size, size), Image.Resampling.BICUBIC))
    return tiles


def to_pixels(tiles: Sequence[Image.Image]) -> Tensor:
    """Normalised pixels, float32 (tiles, 3, size, size)."""
    stacked = torch.from_numpy(np.stack([np.asarray(tile) for tile in tiles]))
    unit = stacked.permute(0, 3, 1, 2).contiguous().to(torch.float32).div(255)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return unit.sub_(mean).div_(std)
