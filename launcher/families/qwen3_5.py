"""Qwen3.5: three of four layers of the language model are linear, of the kind called gated delta net. Instead
of keys and values they keep a state that does not grow with a conversation, so its cache is small. Its tower
is Qwen3-VL's without the inner layers that go into the language model.

The PyTorch engine comes first: while TurboMind loads, it holds copies of the embedding table, which for the
248,320 words of these models leaves Qwen3.5-2B no room on a card of 8 GB.
"""

from __future__ import annotations

from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import newer_qwen_vl, qwen_vl
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.hybrid import hybrid_language, linear_shapes
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked

_NAME, _MODEL_TYPE = "Qwen3_5ForConditionalGeneration", "qwen3_5"


def _sizes(config: ConfigPart) -> ModelSizes:
    vision = config.part("vision_config")
    if vision.values.get(newer_qwen_vl.INNER):
        raise CheckpointError(
            "{file}: {key} is {value}; a Qwen3.5 looks into no inner layers of its tower",
            WRONG_CONFIG,
            **vision.facts(newer_qwen_vl.INNER),
        )
    return newer_qwen_vl.sizes(config, hybrid_language, inner_layers=0)


def _asked(config: ConfigPart) -> Asked:
    linear = linear_shapes(qwen_vl.language(config))
    return Asked(shapes={**newer_qwen_vl.asked(config).shapes, **linear})


# The language model as several programs that run it have its numbers (the 0.8B's whole config.json is in the
# tests of some), the tower as Qwen3-VL-2B's. With these the language model has 1,881,825,088 and the tower
# 331,416,576 parameters, as somebody counted in the published files' headers; its hub counts 60,828,160 more,
# which draft tokens and are not loaded.
_2B: dict[str, Any] = {
    "architectures": [_NAME],
    "model_type": _MODEL_TYPE,
    "text_config": {
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 24,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 256,
        "full_attention_interval": 4,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 16,
        "linear_value_head_dim": 128,
        "vocab_size": 248320,
        "max_position_embeddings": 262144,
        "dtype": "bfloat16",
    },
    "tie_word_embeddings": True,
    "vision_config": newer_qwen_vl.TOWER_OF_2B,
}

# The PyTorch engine's kernels for linear layers are written in tilelang and flash-linear-attention; it wants
# both (lmdeploy/pytorch/backends/cuda/gated_delta_rule.py), whatever its causal_conv1d.py says of another
# package. LMDeploy's wheel asks for tilelang, and the one tvm_ffi that this runs with, on x86-64 Linux alone.
_KERNELS = {
    "tilelang": "tilelang==0.1.11",
    "tvm_ffi": "apache-tvm-ffi==0.1.11",
    "fla": "flash-linear-attention>=0.4.2",
}

FAMILY = qwen_vl.family(
    title="Qwen3.5",
    architectures={_NAME: _MODEL_TYPE},
    engines=("pytorch", "turbomind"),
    read_sizes=_sizes,
    asked=_asked,
    published={"Qwen/Qwen3.5-2B": _2B},
    unread_tensors=("mtp.",),
    packages={"pytorch": _KERNELS},
)
