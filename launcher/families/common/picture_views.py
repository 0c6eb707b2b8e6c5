"""How a model looks at a picture, for people: the size to which it is squeezed, and the tiles of that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureView:
    """The whole picture is squeezed to this width and height, cut into ``columns`` x ``rows`` equal tiles,
    and maybe seen once more as a ``thumbnail`` of a tile's size."""

    width_px: int
    height_px: int
    columns: int = 1
    rows: int = 1
    thumbnail: bool = False

    @property
    def tile_px(self) -> tuple[int, int]:
        """Width and height of a tile."""
        return self.width_px // self.columns, self.height_px // self.rows
