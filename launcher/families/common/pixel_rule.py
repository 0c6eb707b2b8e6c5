"""To which size a picture is scaled: Qwen-VL's rule, the same arithmetic as transformers' ``smart_resize``
(``models/qwen2_vl``). Scaling it is ``launcher.models.qwen_vl_pixels``'."""

from __future__ import annotations

import math
from dataclasses import dataclass

Color = tuple[float, float, float]
"""A number each for red, green and blue."""


@dataclass(frozen=True, slots=True)
class PixelRule:
    """How pictures are scaled: both sides to multiples of ``step_px``, which keep the shape as far as that
    goes, and the area to between ``least`` and ``most``, which count squares of that side. Each square is a
    token, and ``merge`` x ``merge`` of the tower's patches. ``mean`` and ``std`` normalise colours."""

    patch_px: int
    merge: int
    least: int
    most: int
    mean: Color
    std: Color

    @property
    def step_px(self) -> int:
        """Side of a token's square."""
        return self.patch_px * self.merge

    @property
    def longest(self) -> int:
        """How many times longer than wide a picture is at most; what is longer is squeezed to that.
        transformers refuses what is beyond 200. With fewer tokens than that a line of squares would be too
        many."""
        return min(200, self.most)


def scaled(width_px: int, height_px: int, rule: PixelRule) -> tuple[int, int]:
    """Width and height of a picture of this size once it is scaled."""
    step = rule.step_px
    width, height = min(width_px, height_px * rule.longest), min(height_px, width_px * rule.longest)
    columns, rows = round(width / step), round(height / step)
    if columns * rows > rule.most:
        shrink = math.sqrt(width * height / (rule.most * step**2))
        columns = max(1, math.floor(width / shrink / step))
        rows = max(1, math.floor(height / shrink / step))
    elif columns * rows < rule.least:
        grow = math.sqrt(rule.least * step**2 / (width * height))
        columns, rows = math.ceil(width * grow / step), math.ceil(height * grow / step)
    return columns * step, rows * step
