"""InternLM3: a text model built like Llama, with InternLM's tokenizer and InternLM2's prompt form. Config and
tokenizer, which its makers publish as code beside the weights, are the launcher's own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from launcher.errors import UnsupportedModel
from launcher.families.common import reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.internlm import DECODER, INTERNLM2
from launcher.families.common.sizes import LanguageSizes, ModelSizes
from launcher.families.common.tensor_shapes import Asked

_HEAD_DIM = 128
"""Where config.json does not say it, as in transformers' own config."""
_NAME, _MODEL_TYPE = "InternLM3ForCausalLM", "internlm3"


def _sizes(config: ConfigPart) -> ModelSizes:
    language = reading.language_sizes(config)
    language = replace(language, head_dim=config.whole("head_dim", reading.MAX_HEADS, _HEAD_DIM))
    return ModelSizes(
        architecture=_NAME,
        dtype=reading.dtype(config),
        language=language,
        language_bytes=reading.language_bytes(language, _biases(config, language)),
    )


def _biases(config: ConfigPart, sizes: LanguageSizes) -> int:
    """Elements of a block's biases: of queries, keys and values, and of all other layers."""
    first = (sizes.heads + 2 * sizes.kv_heads) * sizes.head_dim
    others = 2 * sizes.hidden + 2 * sizes.intermediate
    return first * bool(config.values.get("qkv_bias")) + others * bool(config.values.get("bias"))


def _check_on_transformers(config: ConfigPart) -> None:
    """There it is a Llama, which has one switch for the biases of all of attention."""
    qkv, other = (bool(config.values.get(key)) for key in ("qkv_bias", "bias"))
    if qkv != other:
        raise UnsupportedModel(
            "{file}: qkv_bias is {qkv} and bias {other}; on transformers both have to be the same",
            "On a machine with an NVIDIA GPU LMDeploy runs it: set engine to turbomind or pytorch.",
            file=config.file,
            qkv=json.dumps(qkv),
            other=json.dumps(other),
        )


def _asked(config: ConfigPart) -> Asked:
    qkv, other = (bool(config.values.get(key)) for key in ("qkv_bias", "bias"))
    return Asked(switches={"q_proj.bias": qkv, "o_proj.bias": other, "gate_proj.bias": other})


# As its config.json has them, which ports of the model to other programs print in their tests; with these it
# has the 8.80 billion parameters that its makers speak of.
_8B: dict[str, Any] = {
    "architectures": [_NAME],
    "model_type": _MODEL_TYPE,
    "bias": False,
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 10240,
    "max_position_embeddings": 32768,
    "num_attention_heads": 32,
    "num_hidden_layers": 48,
    "num_key_value_heads": 2,
    "qkv_bias": False,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 128512,
}

FAMILY = Family(
    title="InternLM3",
    architectures=(Architecture(_NAME, model_type=_MODEL_TYPE),),
    engines=("turbomind", "pytorch"),
    reads_pictures=False,
    read_sizes=_sizes,
    templates={"internlm2": INTERNLM2},
    template_name=lambda _: "internlm2",
    decoder=DECODER,
    loader="launcher.models.internlm3:load",
    reads_sentence_pieces=True,
    check_on_transformers=_check_on_transformers,
    asked=_asked,
    published={
        "internlm/internlm3-8b-instruct": _8B,
        "Shanghai_AI_Laboratory/internlm3-8b-instruct": _8B,
    },
)
