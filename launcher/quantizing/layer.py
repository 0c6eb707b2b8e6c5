"""One decoder layer in four bits: figures of its inputs, the factors folded into it, its linear layers
rounded.

What reads an input is multiplied by the factors, and what makes it divided; partial LoRA, which stays in 16
bits, reads and adds to the same numbers, and so goes along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from launcher.models.awq import Codes, joined, packed, to_codes
from launcher.models.layered import Fold, LayeredModel, Read
from launcher.quantizing.search import InputFigures, best_factors, clipped

UNCLIPPED = ("q_proj", "k_proj", "v_proj", "wqkv")
"""Queries meet keys: what is cut there moves more than its own output (AWQ's authors leave these whole)."""


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """A layer's tensors by their published names, and its outputs before it was changed."""

    tensors: dict[str, Tensor]
    outputs: list[Read]


def quantize_layer(model: LayeredModel, number: int, inputs: Iterable[Read], group: int) -> QuantizedLayer:
    """A decoder layer's tensors in AWQ's layout; what is not rounded is float16."""
    path = model.layer_path(number)
    with model.held(path) as layer, torch.inference_mode():
        outputs, figures = _watched(model, layer, inputs)
        codes = _quantized(layer, model, figures, group)
        return QuantizedLayer(_published(model, path, codes), outputs)


def _watched(
    model: LayeredModel, layer: nn.Module, inputs: Iterable[Read]
) -> tuple[list[Read], dict[str, InputFigures]]:
    """The layer's outputs, and figures of each input by the first linear layer that reads it."""
    first = [fold.linears[0] for fold in model.parts.folds] + list(model.parts.alone)
    figures: dict[str, InputFigures] = {}
    hooks = []
    for name in first:
        linear: Any = layer.get_submodule(name)
        figures[name] = InputFigures.none(linear.in_features, model.device)
        hooks.append(linear.register_forward_pre_hook(_gather(figures[name])))
    outputs = [model.run(layer, read) for read in inputs]
    for hook in hooks:
        hook.remove()
    return outputs, {name: each.done() for name, each in figures.items()}


def _gather(figures: InputFigures) -> Any:
    def hook(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        figures.add(arguments[0])

    return hook


def _quantized(
    layer: nn.Module, model: LayeredModel, figures: dict[str, InputFigures], group: int
) -> dict[str, Codes]:
    """Folds the factors into the layer, and rounds its linear layers: their codes by name."""
    for fold in model.parts.folds:
        linears: list[Any] = [layer.get_submodule(name) for name in fold.linears]
        found = figures[fold.linears[0]]
        factors = best_factors([linear.weight for linear in linears], found, group)
        _fold(layer, fold, factors)
        figures[fold.linears[0]] = found.scaled(factors)
    codes = {}
    for name, read in _inputs(model):
        linear = layer.get_submodule(name)
        whole = name.rpartition(".")[2] in UNCLIPPED
        codes[name] = _rounded(linear, figures[read], group, clip=not whole)
    return codes


def _inputs(model: LayeredModel) -> Iterable[tuple[str, str]]:
    """Every linear layer, and the one whose figures are its input's."""
    yield from ((name, fold.linears[0]) for fold in model.parts.folds for name in fold.linears)
    yield from ((name, name) for name in model.parts.alone)


def _rounded(linear: Any, figures: InputFigures, group: int, *, clip: bool) -> Codes:
    return clipped(linear.weight, figures, group) if clip else to_codes(linear.weight, group)


def _fold(layer: nn.Module, fold: Fold, factors: Tensor) -> None:
    source: Any = layer.get_submodule(fold.source)
    for scaled in (source, getattr(source, "Plora_B", None)):
        if scaled is not None:
            scaled.weight /= factors if scaled.weight.dim() == 1 else factors.unsqueeze(1)
    if getattr(source, "bias", None) is not None:
        source.bias /= factors
    for name in fold.linears:
        linear: Any = layer.get_submodule(name)
        linear.weight *= factors
        if hasattr(linear, "Plora_A"):
            linear.Plora_A.weight *= factors


def _published(model: LayeredModel, path: str, codes: dict[str, Codes]) -> dict[str, Tensor]:
    """The layer as a checkpoint names and packs it."""
    layer_model = model.parameters_below(path)
    tensors: dict[str, Tensor] = {}
    for entry in model.maps:
        if not entry.parameters or not layer_model.keys() >= set(entry.parameters):
            continue
        names = [name.removeprefix(f"{path}.").removesuffix(".weight") for name in entry.parameters]
        if all(name in codes for name in names):
            whole = joined([codes[name] for name in names], entry.join)
            stem = entry.published.removesuffix("weight")
            tensors |= {stem + part: each.cpu() for part, each in packed(whole).items()}
        else:
            tensors[entry.published] = (
                entry.join([layer_model[name] for name in entry.parameters]).half().cpu()
            )
    return tensors
