"""Pictures that are scaled to as many tokens as their pixels ask for: the budget of Qwen-VL's models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from launcher.errors import PresetError
from launcher.families.common.picture_views import PictureView
from launcher.families.common.pictures import PictureUnit, too_few_tokens
from launcher.families.common.pixel_rule import PixelRule, scaled

STEP = 16
"""Limits are multiples of so many tokens, so that one picture at least takes exactly as many: 16 times a
prime is still no line."""
SMALLEST = 64
"""A picture of fewer tokens, 256 x 256 pixels with Qwen3-VL, is none to ask about."""
_COARSE = 256
"""512 x 512 pixels with Qwen3-VL."""
_LEAST_OF_LIMIT = 4
"""Small pictures are made larger up to the rule's least, which a low limit lowers to a fourth of itself:
sides are rounded up there, and no picture must pass the limit."""


@dataclass(frozen=True, slots=True)
class PixelBudget:
    """The limit counts tokens: of a picture that has more pixels, fewer are looked at."""

    rule: PixelRule

    @property
    def unit(self) -> PictureUnit:
        """See ``PictureBudget``."""
        return "tokens"

    @property
    def limit(self) -> int:
        """See ``PictureBudget``."""
        return self.rule.most

    @property
    def shown(self) -> str:
        """See ``PictureBudget``."""
        return f"{self.limit * self.rule.step_px**2 / 1e6:.2f} megapixels"

    @property
    def most_tokens(self) -> int:
        """See ``PictureBudget``."""
        return self.limit

    @property
    def most_patches(self) -> int:
        """See ``PictureBudget``."""
        return self.limit * self.rule.merge**2

    @property
    def largest_px(self) -> tuple[int, int]:
        """See ``PictureBudget``: of as many squares as the limit, as square as can be."""
        rows = max(n for n in range(1, math.isqrt(self.limit) + 1) if self.limit % n == 0)
        return self.limit // rows * self.rule.step_px, rows * self.rule.step_px

    @property
    def engine_options(self) -> Mapping[str, int]:
        """See ``PictureBudget``: LMDeploy is given what is scaled already."""
        return {}

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Rows and columns of the tokens of a picture of this size."""
        width, height = scaled(width_px, height_px, self.rule)
        return height // self.rule.step_px, width // self.rule.step_px

    def tokens(self, width_px: int, height_px: int) -> int:
        """See ``PictureBudget``."""
        rows, columns = self.grid(width_px, height_px)
        return rows * columns

    def view(self, width_px: int, height_px: int) -> PictureView:
        """See ``PictureBudget``: scaled, and never cut."""
        return PictureView(*scaled(width_px, height_px, self.rule))

    def limited(self, limit: int) -> PixelBudget:
        """See ``PictureBudget``; between ``SMALLEST`` and what the rule has, in whole steps."""
        most = max(SMALLEST, limit // STEP * STEP)
        return replace(self, rule=replace(self.rule, most=most, least=self._least(most)))

    def coarse(self) -> PixelBudget:
        """See ``PictureBudget``: as many tokens as InternVL's tile."""
        return self.limited(min(self.limit, _COARSE))

    def lowered(self) -> PixelBudget | None:
        """See ``PictureBudget``: an eighth less."""
        return self.limited(self.limit - max(STEP, self.limit // 8)) if self.limit > SMALLEST else None

    def wished(self, tiles: int | None, tokens: int | None) -> PixelBudget:
        """See ``PictureBudget``: never above the model's own limit."""
        if tiles is not None:
            raise PresetError(
                "memory.max_tiles is {wanted}, but this model does not cut pictures into tiles",
                "Write max_tiles: auto, and bound its pictures by max_picture_tokens, such as 1024.",
                wanted=tiles,
            )
        if tokens is None:
            return self
        if tokens < SMALLEST:
            raise too_few_tokens(tokens, SMALLEST)
        return self.limited(min(tokens, self.limit))

    def _least(self, most: int) -> int:
        return min(self.rule.least, most // _LEAST_OF_LIMIT)
