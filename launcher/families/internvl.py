"""InternVL in its makers' own layout with an InternLM2 inside: InternVL2-2B, 8B, 26B and InternVL2.5-2B, 8B,
26B."""

from __future__ import annotations

from launcher.families.common import internvl, reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.internlm import CHAT_1_8B, DECODER, asked_biases
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked


def _sizes(config: ConfigPart) -> ModelSizes:
    language = reading.language_sizes(config.part("llm_config"), config.values.get("quantization_config"))
    return internvl.makers_sizes(config, language, reading.language_bytes(language))


def _asked(config: ConfigPart) -> Asked:
    return internvl.makers_asked(config, asked_biases(config.part("llm_config")).switches)


_2B = internvl.published({**CHAT_1_8B, "vocab_size": 92553})

FAMILY = Family(
    title="InternVL2 and InternVL2.5 with InternLM2",
    architectures=(Architecture(internvl.NAME, "InternLM2ForCausalLM", ("internlm2",), internvl.MODEL_TYPE),),
    engines=("turbomind", "pytorch"),
    reads_pictures=True,
    read_sizes=_sizes,
    templates=internvl.TEMPLATES,
    template_name=internvl.template_name,
    decoder=DECODER,
    loader="launcher.models.loaders:load_internvl2",
    reads_sentence_pieces=True,
    layered="launcher.models.layered:layered_internvl2",
    tensor_parts=internvl.TENSOR_PARTS,
    picture_token=internvl.PICTURE_TOKEN,
    check=internvl.check_makers,
    asked=_asked,
    published={
        "OpenGVLab/InternVL2-2B": _2B,
        "OpenGVLab/InternVL2-2B-AWQ": {
            **_2B,
            "quantization_config": {"quant_method": "awq"},
            "torch_dtype": "float16",
        },
    },
)
