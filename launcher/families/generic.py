"""Text models that LMDeploy lists and transformers has a class for; all go one way. Prompts are written by
the chat template that the tokenizer carries, text is made by the tokenizer's own rules."""

from __future__ import annotations

from launcher.families.common import reading
from launcher.families.common.blocks import (
    BLOCK_EXTRA,
    MODEL_TYPES,
    QWEN3_1_7B,
    block_switches,
    language_part,
)
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import TOKENIZER_S_OWN, Architecture, Family
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked


def _sizes(config: ConfigPart) -> ModelSizes:
    name = config.values["architectures"][0]
    language, language_bytes = language_part(config, name)
    return ModelSizes(
        architecture=name, dtype=reading.dtype(config), language=language, language_bytes=language_bytes
    )


def _asked(config: ConfigPart) -> Asked:
    return Asked(switches=block_switches(config, config.values["architectures"][0]))


FAMILY = Family(
    title="Text models with a chat template of their own: Qwen2, Qwen2.5, Qwen3, Llama",
    architectures=tuple(Architecture(name, model_type=MODEL_TYPES[name]) for name in BLOCK_EXTRA),
    engines=("turbomind", "pytorch"),
    reads_pictures=False,
    read_sizes=_sizes,
    templates={},
    template_name=lambda _: TOKENIZER_S_OWN,
    decoder="launcher.models.tokenizer_decoder:TokenizerDecoder",
    loader="launcher.models.generic:load_text_model",
    asked=_asked,
    published={"Qwen/Qwen3-1.7B": {**QWEN3_1_7B, "tie_word_embeddings": True}},
)
