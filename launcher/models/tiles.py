"""Picture -> InternVL tiles -> pixels, with Pillow and torch alone.

The same arithmetic as LMDeploy's ``vl/model/internvl.py`` (its ``dynamic_preprocess`` and torchvision
transform): the grid nearest to the picture's aspect ratio, one bicubic resize, tiles row by row, and a
thumbnail when there is more than one tile. Owns neither opening files (``launcher.images``) nor the vision
tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from launcher.models.internvl2 import InternVLChatConfig

# ImageNet's mean and standard deviation of red, green and blue.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class TileRule:
    """How pictures are cut: ``size_px`` is a tile's side; the bounds count tiles without the thumbnail."""

    size_px: int
    min_tiles: int
    max_tiles: int
    thumbnail: bool

    @classmethod
    def of(cls, config: InternVLChatConfig, max_tiles: int | None = None) -> TileRule:
        """The checkpoint's own rule, ``max_tiles`` in place of its max_dynamic_patch where given (LMDeploy's
        option)."""
        rule = cls(
            config.vision_config.image_size,
            config.min_dynamic_patch,
            config.max_dynamic_patch,
            config.use_thumbnail,
        )
        return (
            rule
            if max_tiles is None
            else replace(rule, max_tiles=max_tiles, min_tiles=min(rule.min_tiles, max_tiles))
        )


def choose_grid(width_px: int, height_px: int, rule: TileRule) -> tuple[int, int]:
    """(columns, rows) of the grid whose aspect ratio is nearest to the picture's.

    Of equally near grids a larger one wins only if the picture has more than half of its pixels.
    """
    grids = {
        (columns, rows)
        for bound in range(rule.min_tiles, rule.max_tiles + 1)
        for columns in range(1, bound + 1)
        for rows in range(1, bound + 1)
        if rule.min_tiles <= columns * rows <= rule.max_tiles
    }
    aspect, area = width_px / height_px, width_px * height_px
    best, best_distance = (1, 1), float("inf")
    for columns, rows in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        distance = abs(aspect - columns / rows)
        tied_but_large = distance == best_distance and area > 0.5 * rule.size_px**2 * columns * rows
        if distance < best_distance or tied_but_large:
            best, best_distance = (columns, rows), distance
    return best


def count_tiles(width_px: int, height_px: int, rule: TileRule) -> int:
    """How many tiles ``cut_tiles`` makes of such a picture, the thumbnail included."""
    columns, rows = choose_grid(width_px, height_px, rule)
    tiles = columns * rows
    return tiles + 1 if rule.thumbnail and tiles > 1 else tiles


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
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _STD))
    return unit.sub_(mean).div_(std)
