"""InternVL in its makers' own layout with a Qwen inside: InternVL2-1B, InternVL2.5-1B and 4B, InternVL3
(Qwen2 and Qwen2.5), InternVL3.5 (Qwen3)."""

from __future__ import annotations

from launcher.families.common import internvl
from launcher.families.common.blocks import language_part
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.sizes import ModelSizes

_LANGUAGES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
"""By their model_type."""


def _sizes(config: ConfigPart) -> ModelSizes:
    text = config.part("llm_config")
    language, language_bytes = language_part(text, _name(text), config.values.get("quantization_config"))
    return internvl.model_sizes(config, language, language_bytes)


def _name(text: ConfigPart) -> str:
    """The language model's architecture: one of ours, else nobody would have asked."""
    named = text.values.get("architectures")
    if isinstance(named, list) and named and named[0] in _LANGUAGES.values():
        return str(named[0])
    return _LANGUAGES[text.values["model_type"]]


# As printed from the published model (github.com/shivangjhalani/multicoco, InternVL3-1B_data.md); with these
# it has the 938 million parameters that its hub counts.
_INTERNVL3_1B = internvl.published(
    {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151674,
        "max_position_embeddings": 32768,
        "torch_dtype": "bfloat16",
    },
    template="internvl2_5",
)

FAMILY = Family(
    title="InternVL2, 2.5, 3 and 3.5 with Qwen",
    architectures=tuple(Architecture(internvl.NAME, name, (kind,)) for kind, name in _LANGUAGES.items()),
    engines=("turbomind", "pytorch"),
    reads_pictures=True,
    read_sizes=_sizes,
    templates=internvl.TEMPLATES,
    template_name=internvl.template_name,
    decoder="launcher.models.tokenizer_decoder:TokenizerDecoder",
    loader="launcher.models.loaders:load_internvl2",
    tensor_parts=internvl.TENSOR_PARTS,
    published={"OpenGVLab/InternVL3-1B": _INTERNVL3_1B},
)
