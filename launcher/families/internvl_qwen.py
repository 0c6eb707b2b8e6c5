"""InternVL in its makers' own layout with a Qwen inside: InternVL2-1B, InternVL2.5-1B and 4B, InternVL3
(Qwen2 and Qwen2.5), InternVL3.5 (Qwen3)."""

from __future__ import annotations

from launcher.families.common import internvl
from launcher.families.common.blocks import QWEN3_1_7B, block_switches, language_part
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked

_LANGUAGES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
"""By their model_type."""


def _sizes(config: ConfigPart) -> ModelSizes:
    text = config.part("llm_config")
    language, language_bytes = language_part(text, _name(text), config.values.get("quantization_config"))
    return internvl.makers_sizes(config, language, language_bytes)


def _name(text: ConfigPart) -> str:
    """The language model's architecture: one of ours, else nobody would have asked."""
    named = text.values.get("architectures")
    if isinstance(named, list) and named and named[0] in _LANGUAGES.values():
        return str(named[0])
    return _LANGUAGES[text.values["model_type"]]


def _asked(config: ConfigPart) -> Asked:
    text = config.part("llm_config")
    return internvl.makers_asked(config, block_switches(text, _name(text)))


FAMILY = Family(
    title="InternVL2, 2.5, 3 and 3.5 with Qwen",
    architectures=tuple(
        Architecture(internvl.NAME, name, (kind,), internvl.MODEL_TYPE) for kind, name in _LANGUAGES.items()
    ),
    engines=("turbomind", "pytorch"),
    reads_pictures=True,
    read_sizes=_sizes,
    templates=internvl.TEMPLATES,
    template_name=internvl.template_name,
    decoder=internvl.DECODER,
    loader="launcher.models.loaders:load_internvl2",
    tensor_parts=internvl.TENSOR_PARTS,
    picture_token=internvl.PICTURE_TOKEN,
    check=internvl.check_makers,
    asked=_asked,
    published={
        "OpenGVLab/InternVL3-1B": internvl.published(internvl.QWEN2_5_0_5B, template="internvl2_5"),
        "OpenGVLab/InternVL3_5-2B": internvl.published(QWEN3_1_7B, template="internvl2_5"),
    },
)
