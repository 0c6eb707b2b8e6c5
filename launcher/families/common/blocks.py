"""Language models that are built like Llama under names of their own: what a block of each has beside the
five matrices and two norms that all have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

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
_HEAD_DIMS = {"Qwen3ForCausalLM": 128}
"""Where a config does not say it, and it is not hidden / heads (transformers' own default)."""


def language_part(config: ConfigPart, name: str, quantization: object = None) -> tuple[LanguageSizes, int]:
    """The shape of a language model of one of these architectures, and its bytes. Raises CheckpointError."""
    language = reading.language_sizes(config, quantization)
    if name in _HEAD_DIMS:
        language = replace(language, head_dim=config.whole("head_dim", reading.MAX_HEADS, _HEAD_DIMS[name]))
    return language, reading.language_bytes(language, BLOCK_EXTRA[name](config, language))
