"""InternVL in its makers' own layout (InternVLChatModel) with an InternLM2 inside: InternVL2-2B, 8B, 26B and
InternVL2.5-2B, 8B, 26B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import reading
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.family import Architecture, Family
from launcher.families.common.internlm import CHAT_1_8B, DECODER, MARKUP
from launcher.families.common.pictures import TileBudget
from launcher.families.common.prompts import ChatTemplate
from launcher.families.common.sizes import ELEMENT_BYTES, ModelSizes, TowerSizes
from launcher.families.common.tile_grid import TileRule

_MAX_TILES = 1024
"""Several times what the largest published models have: beyond it a config.json is wrong."""

_INTERNVL2 = ChatTemplate(
    turn_start="<|im_start|>",
    turn_end="<|im_end|>",
    markup=MARKUP,
    turn_separator="",
    picture_open="<img>",
    picture_token="<IMG_CONTEXT>",
    picture_close="</img>\n",
    picture_label="Image-{number}: ",
    strips_answers=True,
)
_FORMS = {"internlm2-chat": "internvl2", "internvl2_5": "internvl2_5"}
"""InternVL's models share an architecture and differ in the form; config.json's "template" names it."""


def _form(config: Mapping[str, Any]) -> str | None:
    named = config.get("template")
    return "internvl2" if named is None else _FORMS.get(str(named))


def _sizes(config: ConfigPart) -> ModelSizes:
    text, vision = config.part("llm_config"), config.part("vision_config")
    language = reading.language_sizes(text, config.values.get("quantization_config"))
    tower = TowerSizes(
        layers=vision.whole("num_hidden_layers", reading.MAX_LAYERS),
        hidden=vision.whole("hidden_size", reading.MAX_HIDDEN),
        intermediate=vision.whole("intermediate_size", reading.MAX_HIDDEN),
    )
    tiles, patch_px = _tiles(config, vision)
    joined = 4 * tower.hidden
    projector = 2 * joined + (joined + 1) * language.hidden + (language.hidden + 1) * language.hidden
    return ModelSizes(
        architecture="InternVLChatModel",
        dtype=reading.dtype(text if language.weight_bits == 16 else config),
        language=language,
        language_bytes=reading.language_bytes(language),
        tower=tower,
        pictures=tiles,
        vision_bytes=reading.tower_bytes(tower, patch_px, tiles.patches_per_tile, scale_vectors=2),
        projector_bytes=projector * ELEMENT_BYTES,
    )


def _tiles(config: ConfigPart, vision: ConfigPart) -> tuple[TileBudget, int]:
    """How pictures are cut, and the side of a patch."""
    forced = config.values.get("force_image_size") is not None
    place = (config, "force_image_size") if forced else (vision, "image_size")
    size_px = place[0].whole(place[1], reading.MAX_IMAGE_PX)
    patch_px = vision.whole("patch_size", size_px)
    tokens = int((size_px // patch_px) ** 2 * config.share("downsample_ratio") ** 2)
    if tokens < 1:
        raise CheckpointError(
            "{file}: {key} is {value}, which leaves a picture no token",
            WRONG_CONFIG,
            **config.facts("downsample_ratio"),
        )
    dynamic = bool(config.values.get("dynamic_image_size"))
    most = config.whole("max_dynamic_patch", _MAX_TILES) if dynamic else 1
    least = config.whole("min_dynamic_patch", most, 1) if dynamic else 1
    rule = TileRule(size_px, least, most, thumbnail=bool(config.values.get("use_thumbnail")))
    return TileBudget(rule, tokens, (size_px // patch_px) ** 2), patch_px


_2B: dict[str, Any] = {
    "architectures": ["InternVLChatModel"],
    "llm_config": {**CHAT_1_8B, "vocab_size": 92553},
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "image_size": 448,
    },
    "force_image_size": 448,
    "downsample_ratio": 0.5,
    "dynamic_image_size": True,
    "max_dynamic_patch": 12,
    "use_thumbnail": True,
    "torch_dtype": "bfloat16",
}

FAMILY = Family(
    title="InternVL2 and InternVL2.5 with InternLM2",
    architectures=(Architecture("InternVLChatModel", "InternLM2ForCausalLM", ("internlm2",)),),
    engines=("turbomind", "pytorch"),
    reads_pictures=True,
    read_sizes=_sizes,
    templates={"internvl2": _INTERNVL2, "internvl2_5": replace(_INTERNVL2, turn_separator="\n")},
    template_name=_form,
    decoder=DECODER,
    loader="launcher.models.loaders:load_internvl2",
    tensor_parts={"vision_model.": "vision", "mlp1.": "projector"},
    published={
        "OpenGVLab/InternVL2-2B": _2B,
        "OpenGVLab/InternVL2-2B-AWQ": {
            **_2B,
            "quantization_config": {"quant_method": "awq"},
            "torch_dtype": "float16",
        },
    },
)
