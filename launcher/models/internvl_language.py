"""The language model inside an InternVLChatModel checkpoint: an InternLM2, or one of those that transformers
has a class for. Its config, and its tensors' names, which lie under ``language_model``."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from transformers import AutoConfig, InternVLForConditionalGeneration, PreTrainedConfig

from launcher.errors import CheckpointError
from launcher.models.internlm2 import InternLM2Config, language_maps, llama_config
from launcher.models.weights import TensorMap

_OF_TRANSFORMERS = ("qwen2", "qwen3")
_SOURCE = "language_model."
_TARGET = "model.language_model."
_HEAD = "lm_head.weight"
_NOT_OURS = ("attn_implementation", "_attn_implementation_autoset")
"""How its makers computed attention: not everybody has what that needs."""


def language_config(fields: dict[str, Any]) -> PreTrainedConfig:
    """``llm_config`` as a config of its own kind.

    Raises:
        CheckpointError: it is of a kind that is not known.
    """
    model_type = fields.get("model_type", InternLM2Config.model_type)
    if model_type == InternLM2Config.model_type:
        return InternLM2Config(**fields)
    if model_type not in _OF_TRANSFORMERS:
        raise CheckpointError(
            "This InternVL checkpoint has a language model of type {model_type}; only {supported} are known",
            hint="Use an InternVL model whose language model is InternLM2, Qwen2, Qwen2.5 or Qwen3.",
            model_type=model_type,
            supported=", ".join((InternLM2Config.model_type, *_OF_TRANSFORMERS)),
        )
    ours = {key: deepcopy(value) for key, value in fields.items() if key not in _NOT_OURS}
    return AutoConfig.for_model(**ours)


def text_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """The same language model as transformers' InternVL has it, of no dtype of its own."""
    if isinstance(config, InternLM2Config):
        return llama_config(config)
    own = deepcopy(config)
    own.dtype = None
    return own


def language_tensors(model: InternVLForConditionalGeneration, config: PreTrainedConfig) -> list[TensorMap]:
    """Every tensor of the language model and where transformers' model keeps it; ``config`` is its text
    config."""
    if config.model_type not in _OF_TRANSFORMERS:
        return language_maps(config, _SOURCE, _TARGET)
    names = [name for name, _ in model.get_submodule(_TARGET.rstrip(".")).named_parameters()]
    maps = [TensorMap(f"{_SOURCE}model.{name}", (f"{_TARGET}{name}",)) for name in names]
    return maps if config.tie_word_embeddings else [*maps, TensorMap(_SOURCE + _HEAD, (_HEAD,))]


def spare_tensors(config: PreTrainedConfig) -> frozenset[str]:
    """What a checkpoint may hold and nobody needs: a head that is the embedding once more."""
    return frozenset({_SOURCE + _HEAD}) if config.tie_word_embeddings else frozenset()
