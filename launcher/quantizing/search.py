"""AWQ's two searches for one set of linear layers that read the same input: a factor for each of the input's
numbers, and how far each group's range is cut.

What a rounded weight costs is the mean square of how far its outputs move. For inputs x that is tr(D C D'),
with D the weight's change and C the mean of x x': so C is gathered once, and no candidate needs the inputs
again. Knows tensors alone.

Source: "AWQ: Activation-aware Weight Quantization" (arXiv 2306.00978), sections 3.2 (the factors: a power of
the inputs' mean size) and 5.1 (clipping).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from launcher.models.awq import Codes, to_codes

STEPS = 20
"""Powers tried: 0, 1/20, ... 19/20."""
SHRINKS = tuple(1 - step / 20 for step in range(11))
"""Shares of a group's range that are tried: from all of it to half."""
_MOST_ROWS = 256
"""Outputs that the powers are tried on, spread evenly over all: so many tell the powers apart as all do, and
on a CPU this is most of the work."""
_AT_ONCE = 2**17
"""Weights that are cut at once: on a CPU they stay in its cache, which makes it more than twice as fast."""
_LEAST_FACTOR = 1e-4


@dataclass(slots=True)
class InputFigures:
    """What was gathered of a linear layer's inputs: mean of x x' [in, in], and mean of |x| [in]."""

    square: Tensor
    size: Tensor
    rows: int = 0

    @classmethod
    def none(cls, width: int, device: str) -> InputFigures:
        """Nothing yet."""
        return cls(torch.zeros(width, width, device=device), torch.zeros(width, device=device))

    def add(self, x: Tensor) -> None:
        """Takes inputs [..., in] in; the figures are sums until ``done``."""
        rows = x.flatten(0, -2).float()
        self.square.addmm_(rows.T, rows)
        self.size += rows.abs().sum(0)
        self.rows += len(rows)

    def done(self) -> InputFigures:
        """The means."""
        return InputFigures(self.square / self.rows, self.size / self.rows, self.rows)

    def scaled(self, factors: Tensor) -> InputFigures:
        """Of the inputs divided by ``factors`` [in]."""
        return InputFigures(self.square / torch.outer(factors, factors), self.size / factors, self.rows)


def best_factors(weights: Sequence[Tensor], figures: InputFigures, group: int) -> Tensor:
    """The factors [in] by which the columns of the weights, [out, in] each, are multiplied before they are
    rounded, and their inputs divided, so that the outputs move least; of many outputs, some are looked at."""
    every = -(-sum(map(len, weights)) // _MOST_ROWS)
    together = torch.cat([weight[::every] for weight in weights])
    best, least = torch.ones_like(figures.size), float("inf")
    for step in range(STEPS):
        factors = figures.size.clamp(min=_LEAST_FACTOR) ** (step / STEPS)
        factors = factors / (factors.max() * factors.min()).sqrt()
        change = to_codes(together * factors, group).weight() / factors - together
        cost = float((change @ figures.square).mul_(change).sum())
        if cost < least:
            best, least = factors, cost
    return best


def clipped(weight: Tensor, figures: InputFigures, group: int) -> Codes:
    """The weight rounded with the cut of each group's range that moves this group's part of the outputs
    least."""
    groups = weight.shape[1] // group
    squares = torch.stack([_block(figures.square, number, group) for number in range(groups)])
    pieces = torch.split(weight, max(1, _AT_ONCE // weight.shape[1]))
    return to_codes(weight, group, torch.cat([_best_shares(piece, squares) for piece in pieces]))


def _best_shares(weight: Tensor, squares: Tensor) -> Tensor:
    """How much of each group's range is kept, [out, groups], for the means of x x' of each group's inputs
    [groups, group, group]."""
    groups, group, _ = squares.shape
    least = torch.full((weight.shape[0], groups), float("inf"), device=weight.device)
    best = torch.ones_like(least)
    for shrink in SHRINKS:
        change = (to_codes(weight, group, shrink).weight() - weight).view(-1, groups, group).transpose(0, 1)
        moved = torch.bmm(change, squares).mul_(change).sum(-1).T
        better = moved < least
        least, best = torch.where(better, moved, least), torch.where(better, shrink, best)
    return best


def _block(square: Tensor, number: int, group: int) -> Tensor:
    return square[number * group : (number + 1) * group, number * group : (number + 1) * group]
