"""InternLM-XComposer2-VL: an InternLM2 with partial LoRA for its pictures, each squeezed to one square.

InternLM-XComposer2-4KHD and XComposer2.5 share the architecture's name, cut their pictures, and are refused.
"""

from __future__ import annotations

from launcher.errors import UnsupportedModel
from launcher.families.common import reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.internlm import CHAT_1_8B, DECODER, MARKUP
from launcher.families.common.pictures import WholeBudget
from launcher.families.common.prompts import ChatTemplate
from launcher.families.common.sizes import ELEMENT_BYTES, ModelSizes, TowerSizes

_MODEL_TYPE = "internlmxcomposer2"
_VL_PX = 490
"""The square of the published VL models. A smaller tower says so under ``vit_config``, as the built-in model
does."""
_CUTS_PICTURES = "InternLM-XComposer2-4KHD or InternLM-XComposer2.5"
_OTHER_NAMES = ("4khd", "xcomposer2d5", "xcomposer2.5")

_VL_1_8B = {
    **CHAT_1_8B,
    "architectures": ["InternLMXComposer2ForCausalLM"],
    "model_type": _MODEL_TYPE,
    "img_size": _VL_PX,
    "torch_dtype": "float16",
}


def _check(config: ConfigPart) -> None:
    own_name = str(config.values.get("_name_or_path", "")).lower()
    image_px = config.values.get("img_size", _VL_PX)
    another_tower = type(image_px) is int and image_px != _VL_PX and not config.values.get("vit_config")
    if another_tower or any(name in own_name for name in _OTHER_NAMES):
        raise UnsupportedModel(
            "{file} is that of {model}, which the launcher does not run",
            "Take {instead}.",
            file=config.file,
            model=_CUTS_PICTURES,
            instead=", ".join(FAMILY.published),
        )


def _sizes(config: ConfigPart) -> ModelSizes:
    """The tower is CLIP ViT-L/14, the partial LoRA of rank 256, unless the config says otherwise."""
    vit = config.part("vit_config", {})
    language = reading.language_sizes(config, plora_rank=config.whole("plora_rank", reading.MAX_HEADS, 256))
    tower = TowerSizes(
        layers=vit.whole("num_hidden_layers", reading.MAX_LAYERS, 24),
        hidden=vit.whole("hidden_size", reading.MAX_HIDDEN, 1024),
        intermediate=vit.whole("intermediate_size", reading.MAX_HIDDEN, 4096),
    )
    reading.check_divides(vit, "num_attention_heads", tower.hidden)
    image_px = config.whole("img_size", reading.MAX_IMAGE_PX, _VL_PX)
    patch_px = vit.whole("patch_size", image_px, 14)
    patches = max(1, (image_px // patch_px) ** 2)
    projector = (tower.hidden + 1) * language.hidden + (language.hidden + 1) * language.hidden
    return ModelSizes(
        architecture="InternLMXComposer2ForCausalLM",
        dtype=reading.dtype(config),
        language=language,
        language_bytes=reading.language_bytes(language),
        tower=tower,
        pictures=WholeBudget(image_px, picture_tokens=patches, patches=patches),
        vision_bytes=reading.tower_bytes(tower, patch_px, patches, scale_vectors=0),
        projector_bytes=projector * ELEMENT_BYTES,
    )


FAMILY = Family(
    title="InternLM-XComposer2-VL",
    architectures=(Architecture("InternLMXComposer2ForCausalLM", model_type=_MODEL_TYPE),),
    engines=("pytorch",),
    reads_pictures=True,
    read_sizes=_sizes,
    templates={
        "xcomposer2": ChatTemplate(
            "[UNUSED_TOKEN_146]", "[UNUSED_TOKEN_145]", MARKUP, picture_token="<ImageHere>"
        )
    },
    template_name=lambda _: "xcomposer2",
    decoder=DECODER,
    loader="launcher.models.loaders:load_xcomposer2",
    reads_sentence_pieces=True,
    layered="launcher.models.layered:layered_xcomposer2",
    plug_in="launcher.models.xcomposer2_lmdeploy:register",
    tensor_parts={"vit.": "vision", "vision_proj.": "projector"},
    refused_tensors={"plora_glb_GN": _CUTS_PICTURES},
    check=_check,
    published={
        "internlm/internlm-xcomposer2-vl-1_8b": _VL_1_8B,
        "Shanghai_AI_Laboratory/internlm-xcomposer2-vl-1_8b": _VL_1_8B,
    },
    made={
        "internlm-xcomposer2-vl-1_8b": {**_VL_1_8B, "quantization_config": {"quant_method": "awq"}},
    },
)
