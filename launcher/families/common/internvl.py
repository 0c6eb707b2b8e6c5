"""What InternVL's models in their makers' own layout (InternVLChatModel) share, whatever language model is
inside: tower, tiles, prompt forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import internlm, reading
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.pictures import TileBudget
from launcher.families.common.prompts import ChatTemplate
from launcher.families.common.sizes import ELEMENT_BYTES, LanguageSizes, ModelSizes, TowerSizes
from launcher.families.common.tensors import PartNames
from launcher.families.common.tile_grid import TileRule

NAME = "InternVLChatModel"
TENSOR_PARTS: PartNames = {"vision_model.": "vision", "mlp1.": "projector"}

_MAX_TILES = 1024
"""Several times what the largest published models have: beyond it a config.json is wrong."""

_INTERNVL2 = ChatTemplate(
    turn_start="<|im_start|>",
    turn_end="<|im_end|>",
    markup=re.compile(rf"{internlm.MARKUP.pattern}|<\|endoftext\|>"),  # in InternLM2's vocabulary or Qwen's
    turn_separator="",
    picture_open="<img>",
    picture_token="<IMG_CONTEXT>",
    picture_close="</img>\n",
    picture_label="Image-{number}: ",
    strips_answers=True,
)
TEMPLATES = {"internvl2": _INTERNVL2, "internvl2_5": replace(_INTERNVL2, turn_separator="\n")}
_FORMS = {"internlm2-chat": "internvl2", "Hermes-2": "internvl2", "internvl2_5": "internvl2_5"}
"""The models share an architecture and differ in the form; config.json's "template" names it. Hermes-2 is
internlm2-chat's form without a BOS, which is the tokenizer's to add."""


def template_name(config: Mapping[str, Any]) -> str | None:
    """See ``Family.template_name``."""
    named = config.get("template")
    return "internvl2" if named is None else _FORMS.get(str(named))


def model_sizes(config: ConfigPart, language: LanguageSizes, language_bytes: int) -> ModelSizes:
    """The sizes of a model with this language model inside. Raises CheckpointError."""
    vision = config.part("vision_config")
    tower = TowerSizes(
        layers=vision.whole("num_hidden_layers", reading.MAX_LAYERS),
        hidden=vision.whole("hidden_size", reading.MAX_HIDDEN),
        intermediate=vision.whole("intermediate_size", reading.MAX_HIDDEN),
    )
    tiles, patch_px = _tiles(config, vision)
    joined = 4 * tower.hidden
    projector = 2 * joined + (joined + 1) * language.hidden + (language.hidden + 1) * language.hidden
    return ModelSizes(
        architecture=NAME,
        dtype=reading.dtype(config.part("llm_config") if language.weight_bits == 16 else config),
        language=language,
        language_bytes=language_bytes,
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


def published(language: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The config of a published model of the small sizes, which differ in the language model, cut down to
    what memory depends on: InternViT-300M, tiles of 448 pixels."""
    return {
        "architectures": [NAME],
        "llm_config": dict(language),
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
        **changes,
    }
