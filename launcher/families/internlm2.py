"""InternLM2 and InternLM2.5: text models.

InternLM2.5 is the same network with weights of its own. Its config.json asks for rotary frequencies that are
stretched beyond its positions ("dynamic"); no session here is longer than these, so nothing is stretched.
"""

from __future__ import annotations

from launcher.errors import UnsupportedModel
from launcher.families.common import reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.internlm import CHAT_1_8B, DECODER, INTERNLM2, asked_biases
from launcher.families.common.sizes import ModelSizes

_MODEL_TYPE = "internlm2"


def _sizes(config: ConfigPart) -> ModelSizes:
    language = reading.language_sizes(config)
    return ModelSizes(
        architecture="InternLM2ForCausalLM",
        dtype=reading.dtype(config),
        language=language,
        language_bytes=reading.language_bytes(language),
    )


def _check(config: ConfigPart) -> None:
    """Some picture models of InternLM's name their language model's architecture as their own."""
    model_type = config.values.get("model_type", _MODEL_TYPE)
    if model_type != _MODEL_TYPE:
        raise UnsupportedModel(
            "{file}: {architecture} of model_type {found} is not one that the launcher runs; it runs {known}",
            "Take {instead}.",
            file=config.file,
            architecture="InternLM2ForCausalLM",
            found=model_type,
            known=_MODEL_TYPE,
            instead="internlm2-chat-1_8b",
        )


FAMILY = Family(
    title="InternLM2 and InternLM2.5",
    architectures=(Architecture("InternLM2ForCausalLM", model_type=_MODEL_TYPE),),
    engines=("turbomind", "pytorch"),
    reads_pictures=False,
    read_sizes=_sizes,
    templates={"internlm2": INTERNLM2},
    template_name=lambda _: "internlm2",
    decoder=DECODER,
    loader="launcher.models.loaders:load_internlm2",
    reads_sentence_pieces=True,
    layered="launcher.models.layered:layered_internlm2",
    check=_check,
    asked=asked_biases,
    published={
        "internlm/internlm2-chat-1_8b": CHAT_1_8B,
        "Shanghai_AI_Laboratory/internlm2-chat-1_8b": CHAT_1_8B,
        # of the same sizes: llm_config of InternVL2.5-2B, which has it inside (PaddleMIX prints that)
        "internlm/internlm2_5-1_8b-chat": CHAT_1_8B,
        "Shanghai_AI_Laboratory/internlm2_5-1_8b-chat": CHAT_1_8B,
    },
)
