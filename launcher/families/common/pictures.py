"""How many tokens a model's pictures take, and how that is bounded: one protocol, and the ways in which
families follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from launcher.errors import PresetError
from launcher.families.common.picture_views import PictureView
from launcher.families.common.tile_grid import TileRule, choose_grid, count_tiles

PictureUnit = Literal["tiles", "tokens"]
"""What a budget's limit counts."""


class PictureBudget(Protocol):
    """What one picture may take. ``limit`` is its most in the unit that the family counts by; a memory plan
    lowers it until the largest picture fits."""

    @property
    def unit(self) -> PictureUnit:
        """What ``limit`` counts: tiles, where pictures are cut."""
        ...

    @property
    def limit(self) -> int:
        """The most of one picture, in the family's own unit."""
        ...

    @property
    def shown(self) -> str:
        """The largest picture in words, such as "12 tiles and a thumbnail"."""
        ...

    @property
    def most_tokens(self) -> int:
        """Tokens of the largest picture."""
        ...

    @property
    def most_patches(self) -> int:
        """Patches that the tower holds at once for the largest picture."""
        ...

    @property
    def largest_px(self) -> tuple[int, int]:
        """Width and height of a picture that takes as much as any."""
        ...

    @property
    def engine_options(self) -> Mapping[str, int]:
        """What LMDeploy's preprocessing is told with each picture, by its own names."""
        ...

    def tokens(self, width_px: int, height_px: int) -> int:
        """Tokens of a picture of this size."""
        ...

    def view(self, width_px: int, height_px: int) -> PictureView:
        """How the model looks at a picture of this size."""
        ...

    def limited(self, limit: int) -> PictureBudget:
        """The same with this limit, above or below its own; itself, where there is nothing to choose."""
        ...

    def coarse(self) -> PictureBudget:
        """What a page of a document or a frame of a video may take: one tile, or about as much."""
        ...

    def lowered(self) -> PictureBudget | None:
        """The next smaller one; None where it cannot be lowered."""
        ...

    def wished(self, tiles: int | None, tokens: int | None) -> PictureBudget:
        """The largest within what a preset asks for, by ``memory.max_tiles`` and
        ``memory.max_picture_tokens``; None leaves it to the model.

        Raises:
            PresetError: this model's pictures cannot be bounded so.
        """
        ...


@dataclass(frozen=True, slots=True)
class TileBudget:
    """Pictures are cut into tiles, each of the same number of tokens; the limit counts them without the
    thumbnail."""

    rule: TileRule
    tokens_per_tile: int
    patches_per_tile: int

    @property
    def unit(self) -> PictureUnit:
        """See ``PictureBudget``."""
        return "tiles"

    @property
    def limit(self) -> int:
        """See ``PictureBudget``."""
        return self.rule.max_tiles

    @property
    def shown(self) -> str:
        """See ``PictureBudget``."""
        thumbnail = " and a thumbnail" if self._most_tiles > self.limit else ""
        return f"{self.limit} tile{'s' if self.limit > 1 else ''}{thumbnail}"

    @property
    def most_tokens(self) -> int:
        """See ``PictureBudget``."""
        return self._most_tiles * self.tokens_per_tile

    @property
    def most_patches(self) -> int:
        """See ``PictureBudget``."""
        return self._most_tiles * self.patches_per_tile

    @property
    def largest_px(self) -> tuple[int, int]:
        """See ``PictureBudget``: as many tiles as the limit, in a grid as square as can be."""
        columns = max(n for n in range(1, self.limit + 1) if self.limit % n == 0 and n * n <= self.limit)
        return self.limit // columns * self.rule.size_px, columns * self.rule.size_px

    @property
    def engine_options(self) -> Mapping[str, int]:
        """See ``PictureBudget``."""
        return {"max_dynamic_patch": self.limit}

    def tokens(self, width_px: int, height_px: int) -> int:
        """See ``PictureBudget``."""
        return count_tiles(width_px, height_px, self.rule) * self.tokens_per_tile

    def view(self, width_px: int, height_px: int) -> PictureView:
        """See ``PictureBudget``."""
        columns, rows = choose_grid(width_px, height_px, self.rule)
        size, thumbnail = self.rule.size_px, self.rule.thumbnail and columns * rows > 1
        return PictureView(columns * size, rows * size, columns, rows, thumbnail)

    def limited(self, limit: int) -> TileBudget:
        """See ``PictureBudget``."""
        least = min(self.rule.min_tiles, limit)
        return replace(self, rule=replace(self.rule, max_tiles=limit, min_tiles=least))

    def coarse(self) -> TileBudget:
        """See ``PictureBudget``."""
        return self.limited(1)

    def lowered(self) -> TileBudget | None:
        """See ``PictureBudget``."""
        return self.limited(self.limit - 1) if self.limit > 1 else None

    def wished(self, tiles: int | None, tokens: int | None) -> TileBudget:
        """See ``PictureBudget``: tokens are rounded down to whole tiles."""
        wished = self if tiles is None else self.limited(tiles)
        if tokens is None:
            return wished
        fits = [n for n in range(1, wished.limit + 1) if self.limited(n).most_tokens <= tokens]
        if not fits:
            raise too_few_tokens(tokens, self.tokens_per_tile)
        return self.limited(fits[-1])

    @property
    def _most_tiles(self) -> int:
        return self.limit + (1 if self.rule.thumbnail and self.limit > 1 else 0)


@dataclass(frozen=True, slots=True)
class WholeBudget:
    """Every picture is squeezed to one square: its tokens are always as many, and nothing can be lowered."""

    size_px: int
    picture_tokens: int
    patches: int

    @property
    def unit(self) -> PictureUnit:
        """See ``PictureBudget``."""
        return "tiles"

    @property
    def limit(self) -> int:
        """See ``PictureBudget``."""
        return 1

    @property
    def shown(self) -> str:
        """See ``PictureBudget``."""
        return "1 tile"

    @property
    def most_tokens(self) -> int:
        """See ``PictureBudget``."""
        return self.picture_tokens

    @property
    def most_patches(self) -> int:
        """See ``PictureBudget``."""
        return self.patches

    @property
    def largest_px(self) -> tuple[int, int]:
        """See ``PictureBudget``."""
        return self.size_px, self.size_px

    @property
    def engine_options(self) -> Mapping[str, int]:
        """See ``PictureBudget``."""
        return {}

    def tokens(self, width_px: int, height_px: int) -> int:  # noqa: ARG002 - whatever its size
        """See ``PictureBudget``."""
        return self.picture_tokens

    def view(self, width_px: int, height_px: int) -> PictureView:  # noqa: ARG002 - whatever its size
        """See ``PictureBudget``."""
        return PictureView(self.size_px, self.size_px)

    def limited(self, limit: int) -> WholeBudget:  # noqa: ARG002 - there is nothing to limit
        """See ``PictureBudget``."""
        return self

    def coarse(self) -> WholeBudget:
        """See ``PictureBudget``."""
        return self

    def lowered(self) -> None:
        """See ``PictureBudget``."""
        return

    def wished(self, tiles: int | None, tokens: int | None) -> WholeBudget:  # noqa: ARG002 - it is one tile
        """See ``PictureBudget``: there is one number of tokens."""
        if tokens not in (None, self.picture_tokens):
            raise PresetError(
                "memory.max_picture_tokens is {wanted}, but every picture of this model takes {only} tokens",
                "Write {only} or auto.",
                wanted=tokens,
                only=self.picture_tokens,
            )
        return self


def too_few_tokens(wanted: int, least: int) -> PresetError:
    """A preset leaves a picture less than the smallest takes."""
    return PresetError(
        "memory.max_picture_tokens is {wanted}, but the smallest picture of this model takes {least}",
        "Write {least} or more, or auto.",
        wanted=wanted,
        least=least,
    )
