"""Where a token stands for a model that knows of rows and columns (Qwen-VL's M-RoPE): three numbers each,
time, row and column.

A text's tokens stand one behind the other, all three numbers alike. A picture's have one time, and rows and
columns of their own; what follows stands behind the picture's longer side. So a token's place depends on all
pictures before it, and not on how much of the conversation is read at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from launcher.models.loading import Span


def positions(pictures: Sequence[Span], first: int, count: int) -> Tensor:
    """Places of ``count`` tokens from the one numbered ``first`` on, (3, 1, count); ``pictures`` are those of
    the whole conversation, in order."""
    place, token = 0, 0
    parts = list[Tensor]()
    for picture in pictures:
        text = picture.start - token
        rows, columns = picture.grid
        parts += [_line(place, text), _square(place + text, rows, columns)]
        place += text + max(rows, columns)
        token = picture.start + rows * columns
    parts.append(_line(place, max(0, first + count - token)))
    return torch.cat(parts, dim=1)[:, first : first + count].unsqueeze(1)


def _line(place: int, count: int) -> Tensor:
    return torch.arange(place, place + count).expand(3, -1)


def _square(place: int, rows: int, columns: int) -> Tensor:
    row = torch.arange(rows).repeat_interleave(columns)
    column = torch.arange(columns).repeat(rows)
    return torch.stack([torch.zeros_like(row), row, column]) + place
