"""Into how many tiles a picture is cut: InternVL's rule, the same arithmetic as LMDeploy's
``vl/model/internvl.py`` (its ``dynamic_preprocess``). Cutting them is ``launcher.models.tiles``'."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TileRule:
    """How pictures are cut: ``size_px`` is a tile's side; the bounds count tiles without the thumbnail."""

    size_px: int
    min_tiles: int
    max_tiles: int
    thumbnail: bool


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
    """How many tiles such a picture becomes, the thumbnail included."""
    columns, rows = choose_grid(width_px, height_px, rule)
    tiles = columns * rows
    return tiles + 1 if rule.thumbnail and tiles > 1 else tiles
