"""Language models that are built like Llama under names of their own: what a block of each has beside the
five matrices and two norms that all have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from launcher.families.common import reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.sizes import LanguageSizes


def _attention_biases(sizes: LanguageSizes) -> int:
    return (sizes.heads + 2 * sizes.kv_heads) * sizes.head_dim


def _llama(config: ConfigPart, sizes: LanguageSizes) -> int:
    attention = _attention_biases(sizes) + sizes.hidden if config.values.get("attention_bias") else 0
    return attention + (2 * sizes.intermediate + sizes.hidden if config.values.get("mlp_bias") else 0)


def _qwen2(_: ConfigPart, sizes: LanguageSizes) -> int:
    return _attention_biases(sizes)


def _qwen3(config: ConfigPart, sizes: LanguageSizes) -> int:
    biases = _attention_biases(sizes) + sizes.hidden if config.values.get("attention_bias") else 0
    return 2 * sizes.head_dim + biases


BLOCK_EXTRA: Mapping[str, Callable[[ConfigPart, LanguageSizes], int]] = {
    "LlamaForCausalLM": _llama,
    "Qwen2ForCausalLM": _qwen2,
    "Qwen3ForCausalLM": _qwen3,
}
"""The architectures, and how many elements each block has beside five matrices and two norms: biases, norms
of queries and keys."""
MODEL_TYPES: Mapping[str, str] = {
    "LlamaForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
"""By architecture."""
_HEAD_DIMS = {"Qwen3ForCausalLM": 128}
"""Where a config does not say it, and it is not hidden / heads (transformers' own default)."""


def language_part(config: ConfigPart, name: str, quantization: object = None) -> tuple[LanguageSizes, int]:
    """The shape of a language model of one of these architectures, and its bytes. Raises CheckpointError."""
    language = reading.language_sizes(config, quantization)
    if name in _HEAD_DIMS:
        language = replace(language, head_dim=config.whole("head_dim", reading.MAX_HEADS, _HEAD_DIMS[name]))
    return language, reading.language_bytes(language, BLOCK_EXTRA[name](config, language))


def block_switches(config: ConfigPart, name: str) -> dict[str, bool]:
    """Which tensors a language model of one of these architectures has or has not, by the ends of their
    names."""
    attention, mlp = (bool(config.values.get(key)) for key in ("attention_bias", "mlp_bias"))
    if name == "Qwen2ForCausalLM":
        return {"self_attn.q_proj.bias": True}
    biases = dict.fromkeys(("self_attn.q_proj.bias", "o_proj.bias"), attention)
    return {**biases, "gate_proj.bias": mlp} if name == "LlamaForCausalLM" else biases


QWEN3_1_7B: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "torch_dtype": "bfloat16",
}
"""Qwen3-1.7B, whose head is its embedding table, and inside InternVL3.5-2B with a head of its own. Sizes as
the card of KerasHub's conversion lists them (keras/qwen3_1.7b_en); positions as in the smaller model of the
series, Qwen3-0.6B, whose config InternVL3.5-1B holds. Other engines' tests of InternVL3_5-2B-HF print the
same, and its makers count 2.0 billion parameters of it beside the tower's 0.3
(github.com/ErfeiCui/InternVL-doc, docs/en/internvl3.5/quick_start.md)."""
