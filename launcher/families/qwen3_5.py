"""Qwen3.5: three of four layers of the language model are linear, of the kind called gated delta net. Instead
of keys and values they keep a state that does not grow with a conversation, so its cache is small. Its tower
is Qwen3-VL's without the inner layers that go into the language model.

The PyTorch engine comes first: while TurboMind loads, it holds copies of the embedding table, which for the
248,320 words of these models leaves Qwen3.5-2B no room on a card of 8 GB.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import qwen_vl, reading
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.family import TOKENIZER_S_OWN, Architecture, Family
from launcher.families.common.hybrid import hybrid_language, linear_shapes
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked

_NAME, _MODEL_TYPE = "Qwen3_5ForConditionalGeneration", "qwen3_5"
_LEAST_TOKENS = 64


def _sizes(config: ConfigPart) -> ModelSizes:
    vision = config.part("vision_config")
    hidden = vision.whole("hidden_size", reading.MAX_HIDDEN)
    tower = qwen_vl.tower(vision, hidden, vision.whole("intermediate_size", reading.MAX_HIDDEN))
    pictures = qwen_vl.budget(vision, 16, _LEAST_TOKENS, qwen_vl.HALF, qwen_vl.HALF)
    if vision.values.get("deepstack_visual_indexes"):
        raise CheckpointError(
            "{file}: {key} is {value}; a Qwen3.5 looks into no inner layers of its tower",
            WRONG_CONFIG,
            **vision.facts("deepstack_visual_indexes"),
        )
    return qwen_vl.model_sizes(
        config,
        hybrid_language,
        tower,
        pictures,
        tower_elements=qwen_vl.newer_tower_elements(vision, tower, pictures),
        merger_elements=partial(qwen_vl.newer_merger_elements, tower, pictures, 0),
    )


def _asked(config: ConfigPart) -> Asked:
    linear = linear_shapes(qwen_vl.language(config))
    return Asked(shapes={**qwen_vl.newer_asked(config).shapes, **linear})


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
    "vision_config": {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_position_embeddings": 2304,
        "patch_size": 16,
        "spatial_merge_size": 2,
    },
}

FAMILY = Family(
    title="Qwen3.5",
    architectures=(Architecture(_NAME, model_type=_MODEL_TYPE),),
    engines=("pytorch", "turbomind"),
    reads_pictures=True,
    read_sizes=_sizes,
    templates={},
    template_name=lambda _: TOKENIZER_S_OWN,
    decoder=qwen_vl.DECODER,
    loader=qwen_vl.LOADER,
    picture_marks=qwen_vl.MARKS,
    picture_token=qwen_vl.MARKS.token,
    pixels=qwen_vl.PIXELS,
    preparation=qwen_vl.preparation,
    asked=_asked,
    tensor_parts=qwen_vl.TENSOR_PARTS,
    unread_tensors=("mtp.",),
    published={"Qwen/Qwen3.5-2B": _2B},
)
