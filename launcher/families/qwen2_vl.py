"""Qwen2-VL and Qwen2.5-VL: a Qwen2 or Qwen2.5 that is shown pictures scaled to the tokens that their pixels
ask for. The towers differ: Qwen2.5-VL's looks at windows in most of its layers.

Qwen2-VL's tower was trained with "quick GELU". Both engines of LMDeploy 0.18 compute GELU itself in its
place, and what the tower sees differs by some thousandths from transformers'
(tests/models/test_qwen_vl_lmdeploy.py). Qwen2.5-VL's has another function, and no such difference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from launcher.families.common import qwen_vl, reading
from launcher.families.common.blocks import language_part
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.sizes import ModelSizes, TowerSizes
from launcher.families.common.tensor_shapes import Asked

_NAME_2, _NAME_2_5 = "Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration"
_MODEL_TYPES = {_NAME_2: "qwen2_vl", _NAME_2_5: "qwen2_5_vl"}
_LANGUAGE = "Qwen2ForCausalLM"
"""Built like it."""
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""CLIP's."""
_LEAST_TOKENS = 4
_MAX_RATIO = 64

_Tower = Callable[[ConfigPart], tuple[TowerSizes, int]]
"""``vision_config`` -> the tower's shape, and elements of a block's norms and MLP."""


def _tower_2(vision: ConfigPart) -> tuple[TowerSizes, int]:
    hidden = vision.whole("embed_dim", reading.MAX_HIDDEN)
    inner = hidden * vision.whole("mlp_ratio", _MAX_RATIO)
    return qwen_vl.tower(vision, hidden, inner), 4 * hidden + 2 * hidden * inner + inner + hidden


def _tower_2_5(vision: ConfigPart) -> tuple[TowerSizes, int]:
    """Its norms have no biases, its MLP has a gate."""
    hidden = vision.whole("hidden_size", reading.MAX_HIDDEN)
    inner = vision.whole("intermediate_size", reading.MAX_HIDDEN)
    return qwen_vl.tower(vision, hidden, inner), 2 * hidden + 3 * hidden * inner + 2 * inner + hidden


_TOWERS: dict[str, tuple[_Tower, int]] = {_NAME_2: (_tower_2, 2), _NAME_2_5: (_tower_2_5, 1)}
"""By architecture, with how many vectors the norm before the projector has."""


def _sizes(config: ConfigPart) -> ModelSizes:
    vision = config.part("vision_config")
    read_tower, norm_vectors = _TOWERS[config.values["architectures"][0]]
    tower, block = read_tower(vision)
    pictures = qwen_vl.budget(vision, 14, _LEAST_TOKENS, _MEAN, _STD)
    return qwen_vl.model_sizes(
        config,
        partial(language_part, name=_LANGUAGE),
        tower,
        pictures,
        tower_elements=_tower_elements(tower, block, pictures),
        merger_elements=partial(_merger_elements, tower, norm_vectors, pictures),
    )


def _tower_elements(tower: TowerSizes, block: int, pictures: PixelBudget) -> int:
    attention = 4 * tower.hidden * (tower.hidden + 1)
    return qwen_vl.patch_elements(pictures, tower.hidden) + tower.layers * (block + attention)


def _merger_elements(tower: TowerSizes, norm_vectors: int, pictures: PixelBudget, out: int) -> int:
    joined = pictures.rule.merge**2 * tower.hidden
    return norm_vectors * tower.hidden + joined * (joined + 1) + (joined + 1) * out


def _asked(config: ConfigPart) -> Asked:
    """Qwen2-VL's tower calls its own width embed_dim, and the language model's hidden_size."""
    vision = config.part("vision_config")
    older = config.values["architectures"][0] == _NAME_2
    own, out = ("embed_dim", "hidden_size") if older else ("hidden_size", "out_hidden_size")
    return qwen_vl.asked(config, vision.whole(own, reading.MAX_HIDDEN), 14, out, "mlp.2.weight")


# As the makers' config.json files have them, which many repositories print; with these numbers they have the
# 2.21 and 3.75 billion parameters that their hub counts.
_2B: dict[str, Any] = {
    "architectures": [_NAME_2],
    "model_type": _MODEL_TYPES[_NAME_2],
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "max_position_embeddings": 32768,
    "num_attention_heads": 12,
    "num_hidden_layers": 28,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vision_config": {
        "depth": 32,
        "embed_dim": 1280,
        "mlp_ratio": 4,
        "patch_size": 14,
        "spatial_merge_size": 2,
    },
    "vocab_size": 151936,
}
_3B: dict[str, Any] = {
    "architectures": [_NAME_2_5],
    "model_type": _MODEL_TYPES[_NAME_2_5],
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "max_position_embeddings": 128000,
    "num_attention_heads": 16,
    "num_hidden_layers": 36,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "patch_size": 14,
        "spatial_merge_size": 2,
    },
    "vocab_size": 151936,
}

FAMILY = qwen_vl.family(
    title="Qwen2-VL and Qwen2.5-VL",
    architectures=_MODEL_TYPES,
    engines=("turbomind", "pytorch"),
    read_sizes=_sizes,
    asked=_asked,
    published={
        "Qwen/Qwen2-VL-2B-Instruct": _2B,
        "Qwen/Qwen2.5-VL-3B-Instruct": _3B,
        "Qwen/Qwen2.5-VL-3B-Instruct-AWQ": {
            **_3B,
            "quantization_config": {"quant_method": "awq"},
            "torch_dtype": "float16",
        },
    },
)
