"""Qwen3-VL: pictures are scaled to the tokens that their pixels ask for; what several layers of the tower
have seen goes into the first layers of the language model (DeepStack)."""

from __future__ import annotations

from functools import partial
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import newer_qwen_vl, qwen_vl, reading
from launcher.families.common.blocks import QWEN3_1_7B, language_part
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked

_NAME, _MODEL_TYPE = "Qwen3VLForConditionalGeneration", "qwen3_vl"
_LANGUAGE = "Qwen3ForCausalLM"
"""Built like it, under tensor names of its own."""


def _sizes(config: ConfigPart) -> ModelSizes:
    inner_layers = _inner_layers(config.part("vision_config"))
    return newer_qwen_vl.sizes(config, partial(language_part, name=_LANGUAGE), inner_layers)


def _inner_layers(vision: ConfigPart) -> int:
    found = vision.values.get(newer_qwen_vl.INNER)
    if not isinstance(found, list) or len(found) > reading.MAX_LAYERS:
        raise CheckpointError(
            "{file}: {key} is {value}, not a list of layers",
            WRONG_CONFIG,
            **vision.facts(newer_qwen_vl.INNER),
        )
    return len(found)


def _asked(config: ConfigPart) -> Asked:
    inner = _inner_layers(config.part("vision_config"))
    merger = "deepstack_merger_list.{}.norm.weight"
    switches = {merger.format(inner): False, **({merger.format(inner - 1): True} if inner else {})}
    return Asked(newer_qwen_vl.asked(config).shapes, switches)


# As published (its tower is the 4B's, whose config many repositories print; the sizes of both in torchtitan's
# and SGLang's code), with which it has the 2.13 billion parameters that its hub counts.
_2B: dict[str, Any] = {
    "architectures": [_NAME],
    "model_type": _MODEL_TYPE,
    "text_config": {**QWEN3_1_7B, "max_position_embeddings": 262144},
    "tie_word_embeddings": True,
    "vision_config": {**newer_qwen_vl.TOWER_OF_2B, newer_qwen_vl.INNER: [5, 11, 17]},
}

FAMILY = qwen_vl.family(
    title="Qwen3-VL",
    architectures={_NAME: _MODEL_TYPE},
    engines=("pytorch",),
    read_sizes=_sizes,
    asked=_asked,
    published={"Qwen/Qwen3-VL-2B-Instruct": _2B},
)
