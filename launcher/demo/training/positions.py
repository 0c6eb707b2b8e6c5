"""A picture tower's position table at the start of training: where a patch is has to be as loud as what is in
it.

Both towers start their table at a standard deviation of 0.02, while a patch of white background is embedded
with about 1: the place drowns, and a first run learnt colours and shapes to 98 % but places to 40 %. So the
table starts as sines and cosines of the patch's column and row, which is readable at once; it stays
trainable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

AMPLITUDE = 0.5
SHORTEST_WAVE, LONGEST_WAVE = 4.0, 64.0
"""In patches: from a few patches to four times the side, so that a half wave tells left from right."""


@torch.no_grad()
def start_positions(table: Tensor) -> None:
    """Fills rows 1 to n * n of a table [..., 1 + n * n, width] in place; row 0, the class token's, stays."""
    rows = table.view(-1, table.shape[-1])[1:]
    side = math.isqrt(len(rows))
    waves = torch.logspace(math.log2(SHORTEST_WAVE), math.log2(LONGEST_WAVE), rows.shape[1] // 4, base=2)
    phases = torch.arange(side)[:, None] * (2 * math.pi / waves)[None, :]
    one_axis = torch.cat([phases.sin(), phases.cos()], dim=1)  # [side, width / 2]
    y = one_axis[:, None, :].expand(side, side, -1)
    x = one_axis[None, :, :].expand(side, side, -1)
    rows.copy_(AMPLITUDE * torch.cat([x, y], dim=2).reshape(side * side, -1))
