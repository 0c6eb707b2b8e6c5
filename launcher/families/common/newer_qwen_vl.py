"""What Qwen3-VL and Qwen3.5 share: the tower, how its pictures are scaled, and what leads from it to the
language model."""

from __future__ import annotations

from functools import partial
from typing import Any

from launcher.families.common import qwen_vl, reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.pixel_rule import Color
from launcher.families.common.sizes import ModelSizes, TowerSizes
from launcher.families.common.tensor_shapes import Asked

INNER = "deepstack_visual_indexes"
"""Names the layers of the tower that the language model looks into."""
TOWER_OF_2B: dict[str, Any] = {
    "depth": 24,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_position_embeddings": 2304,
    "patch_size": 16,
    "spatial_merge_size": 2,
}
"""Of both families' models of that size."""

_PATCH_PX = 16
_LEAST_TOKENS = 64
_HALF: Color = (0.5, 0.5, 0.5)
"""Mean and spread of colours."""


def sizes(config: ConfigPart, read_language: qwen_vl.ReadLanguage, inner_layers: int) -> ModelSizes:
    """All sizes of a model.

    Args:
        config: of the whole.
        read_language: reads its language model's.
        inner_layers: how many layers of the tower the language model looks into.

    Raises:
        CheckpointError: a size is wrong.
    """
    vision = config.part("vision_config")
    hidden = vision.whole("hidden_size", reading.MAX_HIDDEN)
    tower = qwen_vl.tower(vision, hidden, vision.whole("intermediate_size", reading.MAX_HIDDEN))
    pictures = qwen_vl.budget(vision, _PATCH_PX, _LEAST_TOKENS, _HALF, _HALF)
    return qwen_vl.model_sizes(
        config,
        read_language,
        tower,
        pictures,
        tower_elements=_tower_elements(vision, tower, pictures),
        merger_elements=partial(_merger_elements, tower, pictures, inner_layers),
    )


def asked(config: ConfigPart) -> Asked:
    """What a config asks of tensors in the tower and the merger. Raises CheckpointError."""
    vision = config.part("vision_config")
    hidden = vision.whole("hidden_size", reading.MAX_HIDDEN)
    found = qwen_vl.asked(config, hidden, _PATCH_PX, "out_hidden_size", "merger.linear_fc2.weight")
    positions = vision.whole("num_position_embeddings", reading.MAX_HIDDEN)
    return Asked(shapes={**found.shapes, "visual.pos_embed.weight": (positions, hidden)})


def _tower_elements(vision: ConfigPart, shape: TowerSizes, pictures: PixelBudget) -> int:
    """Patches, a table of positions, and blocks of two norms, attention and
    two-layer MLP, all with biases. Raises CheckpointError."""
    hidden, inner = shape.hidden, shape.intermediate
    positions = vision.whole("num_position_embeddings", reading.MAX_HIDDEN)
    block = 4 * hidden + 4 * hidden * (hidden + 1) + 2 * hidden * inner + inner + hidden
    return qwen_vl.patch_elements(pictures, hidden) + (positions + 1) * hidden + shape.layers * block


def _merger_elements(shape: TowerSizes, pictures: PixelBudget, inner: int, out: int) -> int:
    """One after the tower, and one for each of ``inner`` layers that are looked into, whose norm
    is of joined patches."""
    joined = pictures.rule.merge**2 * shape.hidden
    layers = joined * (joined + 1) + (joined + 1) * out
    return (inner + 1) * layers + 2 * shape.hidden + inner * 2 * joined
