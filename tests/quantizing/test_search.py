"""AWQ's searches make what plain rounding costs smaller, and the figures that they go by are the outputs'
own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from launcher.models.awq import to_codes
from launcher.quantizing.search import InputFigures, best_factors, clipped

GROUP = 128


@pytest.fixture
def inputs() -> Tensor:
    """A few numbers are far larger than the others, as in language models."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(400, 256, generator=generator)
    x[:, ::37] *= 30
    return x


@pytest.fixture
def weight() -> Tensor:
    return torch.randn(64, 256, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def figures(inputs: Tensor) -> InputFigures:
    gathered = InputFigures.none(256, "cpu")
    for part in inputs.split(150):
        gathered.add(part.unsqueeze(0))
    return gathered.done()


def moved(inputs: Tensor, weight: Tensor, rounded: Tensor) -> float:
    """Mean square of how far the outputs move."""
    return float((inputs @ (rounded - weight).T).square().sum(1).mean())


def test_the_figures_are_means(inputs: Tensor, figures: InputFigures) -> None:
    assert torch.allclose(figures.square, inputs.T @ inputs / len(inputs), rtol=1e-4, atol=1e-3)
    assert torch.allclose(figures.size, inputs.abs().mean(0), rtol=1e-4)
    factors = torch.rand(256) + 0.5
    scaled = figures.scaled(factors)
    rows = inputs / factors
    assert torch.allclose(scaled.square, rows.T @ rows / len(rows), rtol=1e-3, atol=1e-3)


def test_factors_move_the_outputs_less(inputs: Tensor, weight: Tensor, figures: InputFigures) -> None:
    factors = best_factors([weight[:32], weight[32:]], figures, GROUP)
    with_factors = to_codes(weight * factors, GROUP).weight() / factors
    plain = to_codes(weight, GROUP).weight()
    assert moved(inputs, weight, with_factors) < 0.6 * moved(inputs, weight, plain)


def test_clipping_moves_the_outputs_less(inputs: Tensor, weight: Tensor, figures: InputFigures) -> None:
    weight[:, 5] *= 4  # one number that makes every step of its group coarse
    inputs[:, 5] = 0
    gathered = InputFigures.none(256, "cpu")
    gathered.add(inputs)
    cut = clipped(weight, gathered.done(), GROUP).weight()
    plain = to_codes(weight, GROUP).weight()
    assert moved(inputs, weight, cut) < 0.7 * moved(inputs, weight, plain)


def test_a_number_that_is_always_zero_is_no_fault(weight: Tensor, inputs: Tensor) -> None:
    inputs[:, 7] = 0
    figures = InputFigures.none(256, "cpu")
    figures.add(inputs)
    assert torch.isfinite(best_factors([weight], figures.done(), GROUP)).all()
