"""Qwen3-VL: pictures are scaled to the tokens that their pixels ask for; what several layers of the tower
have seen goes into the first layers of the language model (DeepStack)."""

from __future__ import annotations

from functools import partial
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import qwen_vl, reading
from launcher.families.common.blocks import language_part
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.family import TOKENIZER_S_OWN, Architecture, Family
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked

_NAME, _MODEL_TYPE = "Qwen3VLForConditionalGeneration", "qwen3_vl"
_LANGUAGE = "Qwen3ForCausalLM"
"""Built like it, under tensor names of its own."""
_LEAST_TOKENS = 64


def _sizes(config: ConfigPart) -> ModelSizes:
    vision = config.part("vision_config")
    hidden = vision.whole("hidden_size", reading.MAX_HIDDEN)
    tower = qwen_vl.tower(vision, hidden, vision.whole("intermediate_size", reading.MAX_HIDDEN))
    pictures = qwen_vl.budget(vision, 16, _LEAST_TOKENS, qwen_vl.HALF, qwen_vl.HALF)
    return qwen_vl.model_sizes(
        config,
        partial(language_part, name=_LANGUAGE),
        tower,
        pictures,
        tower_elements=qwen_vl.newer_tower_elements(vision, tower, pictures),
        merger_elements=partial(qwen_vl.newer_merger_elements, tower, pictures, _inner_layers(vision)),
    )


def _inner_layers(vision: ConfigPart) -> int:
    found = vision.values.get("deepstack_visual_indexes")
    if not isinstance(found, list) or len(found) > reading.MAX_LAYERS:
        raise CheckpointError(
            "{file}: {key} is {value}, not a list of layers",
            WRONG_CONFIG,
            **vision.facts("deepstack_visual_indexes"),
        )
    return len(found)


def _asked(config: ConfigPart) -> Asked:
    inner = _inner_layers(config.part("vision_config"))
    merger = "deepstack_merger_list.{}.norm.weight"
    switches = {merger.format(inner): False, **({merger.format(inner - 1): True} if inner else {})}
    return Asked(qwen_vl.newer_asked(config).shapes, switches)


# As published (its tower is the 4B's, whose config many repositories print; the sizes of both in torchtitan's
# and SGLang's code), with which it has the 2.13 billion parameters that its hub counts.
_2B: dict[str, Any] = {
    "architectures": [_NAME],
    "model_type": _MODEL_TYPE,
    "text_config": {
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 262144,
        "dtype": "bfloat16",
    },
    "tie_word_embeddings": True,
    "vision_config": {
        "deepstack_visual_indexes": [5, 11, 17],
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_position_embeddings": 2304,
        "patch_size": 16,
        "spatial_merge_size": 2,
    },
}

FAMILY = Family(
    title="Qwen3-VL",
    architectures=(Architecture(_NAME, model_type=_MODEL_TYPE),),
    engines=("pytorch",),
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
    published={"Qwen/Qwen3-VL-2B-Instruct": _2B},
)
