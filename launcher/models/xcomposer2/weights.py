"""From a checkpoint folder to the model and back, and the sizes that only the tensors tell."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from launcher.errors import CheckpointError
from launcher.families import AWQ_GROUP
from launcher.models.awq import open_tensors, packed_shapes
from launcher.models.partial_lora import PartialLoraLinear
from launcher.models.weights import CheckpointTensors, TensorMap, Unfilled, published
from launcher.models.whole import filled
from launcher.models.xcomposer2.configuration import XComposer2Config
from launcher.models.xcomposer2.model import XComposer2ForCausalLM

VISION_PREFIX = "vit.vision_tower.vision_model."
POSITION_TABLE = VISION_PREFIX + "embeddings.position_embedding.weight"
SMALL_TABLE_SIDE = 24
"""Side of the position table of the 336-pixel tower that the models were trained from."""
COMPUTED = (".rotary_emb.inv_freq", ".embeddings.position_ids")
CLIP_HEAD_SIZE = 64
"""Width of a head of every published CLIP tower; a checkpoint's tensors do not tell it."""


def read_sizes(config: XComposer2Config, tensors: CheckpointTensors) -> None:
    """Fills in what config.json leaves out from the tensors' shapes: rank, picture tower, picture size.

    Raises:
        CheckpointError: a tensor that tells a size is missing.
    """
    hidden, _, patch, _ = _shape(tensors, VISION_PREFIX + "embeddings.patch_embedding.weight")
    layer_prefix = VISION_PREFIX + "encoder.layers."
    layers = {
        name.removeprefix(layer_prefix).split(".")[0]
        for name in tensors.names()
        if name.startswith(layer_prefix)
    }
    tower = {
        "num_attention_heads": max(1, hidden // CLIP_HEAD_SIZE),
        **(config.vit_config or {}),
        "hidden_size": hidden,
        "intermediate_size": _shape(tensors, layer_prefix + "0.mlp.fc1.weight")[0],
        "num_hidden_layers": len(layers),
        "patch_size": patch,
    }
    side = math.isqrt(_shape(tensors, POSITION_TABLE)[0] - 1)
    config.vit_config = tower
    config.img_size = config.img_size if side == SMALL_TABLE_SIDE else side * patch
    config.plora_rank = _shape(tensors, "model.layers.0.attention.wqkv.Plora_A.weight")[0]


def _shape(tensors: CheckpointTensors, name: str) -> tuple[int, ...]:
    if name not in tensors.names():
        raise CheckpointError(
            "{folder} has no tensor {name}: it is no InternLM-XComposer2-VL checkpoint, or not a whole one",
            hint="Download the checkpoint again.",
            folder=tensors.folder,
            name=name,
        )
    return tuple(tensors.read(name).shape)


def tensor_maps(model: XComposer2ForCausalLM) -> list[TensorMap]:
    """Every published tensor and the parameter that holds it: the names are the same."""
    return [TensorMap(name, (name,)) for name, _ in model.named_parameters()]


def published_tensors(model: XComposer2ForCausalLM) -> dict[str, Tensor]:
    """The weights under the published names: the exact inverse of ``load_model``."""
    return published(model, tensor_maps(model))


def published_shapes(config: XComposer2Config) -> dict[str, torch.Size]:
    """The shape of every published tensor by name; of a checkpoint in four bits, the packed ones."""
    with torch.device("meta"):
        model = XComposer2ForCausalLM(config)
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    settings = getattr(config, "quantization_config", None)
    if not settings:
        return shapes
    group = settings.get("group_size", AWQ_GROUP)
    for name, module in model.named_modules():
        if isinstance(module, PartialLoraLinear):
            packs = packed_shapes(shapes.pop(f"{name}.weight"), group)
            shapes |= {f"{name}.{part}": shape for part, shape in packs.items()}
    return shapes


def resized_positions(table: Tensor, side: int) -> Tensor:
    """A position table [1 + n * n, width] stretched bicubically to [1 + side * side, width]; the class
    token's row stays."""
    old = math.isqrt(len(table) - 1)
    if old == side:
        return table
    grid = table[1:].float().view(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([table[:1], grid.permute(0, 2, 3, 1).flatten(0, 2).to(table.dtype)])


def unfilled_model(folder: Path) -> Unfilled:
    """The model of a checkpoint folder, without its weights.

    Raises:
        CheckpointError: weights are missing, or quantised in a way that is not known, or a tensor is missing
            or unknown; each is named.
    """
    config = XComposer2Config.from_pretrained(folder)
    tensors = open_tensors(folder, config)
    read_sizes(config, tensors)
    with torch.device("meta"):
        model = XComposer2ForCausalLM(config)
    table_side = math.isqrt(_shape(tensors, POSITION_TABLE)[0] - 1)
    maps = [_stretched(entry, table_side, config.grid_side) for entry in tensor_maps(model)]
    return Unfilled(model, maps, tensors, {name for name in tensors.names() if name.endswith(COMPUTED)})


def load_model(folder: Path, dtype: torch.dtype, device: str) -> XComposer2ForCausalLM:
    """The model of a checkpoint folder, ready to answer.

    Args:
        folder: holds config.json and the weights, as safetensors or ``pytorch_model*.bin``.
        dtype: of the weights in memory.
        device: torch device name.

    Raises:
        CheckpointError: as ``unfilled_model`` does, or a tensor is of the wrong shape.
    """
    model: XComposer2ForCausalLM = filled(unfilled_model(folder), "model", dtype, device)
    model.vit.count_positions()
    model.requires_grad_(False)
    return model


def _stretched(entry: TensorMap, table_side: int, side: int) -> TensorMap:
    """The same map; for the position table of a smaller picture size, one that stretches it while loading."""
    if entry.published != POSITION_TABLE or table_side == side:
        return entry
    return replace(
        entry,
        split=lambda table: (resized_positions(table, side),),
        join=lambda parts: resized_positions(parts[0], table_side),
    )
