"""InternVL in transformers' own layout, the checkpoints whose names end in -HF (InternVL3-1B-hf,
InternVL3_5-2B-HF), with a Qwen2, Qwen3 or Llama inside.

The network is that of the makers' layout, with the tower's attention unpacked and other names. Prompts are
written by the chat template that comes with the tokenizer, which has a place for pictures; several of one
turn are numbered as in the makers' layout. config.json does not say how pictures are cut: that is
transformers' processor's, which cuts tiles whatever its file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common import internvl, reading
from launcher.families.common.blocks import QWEN3_1_7B, block_switches, language_part
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.family import TOKENIZER_S_OWN, Architecture, Family
from launcher.families.common.pictures import PictureBudget, TileBudget
from launcher.families.common.preprocessing import Preparation
from launcher.families.common.prompts import PictureMarks
from launcher.families.common.sizes import ModelSizes
from launcher.families.common.tensor_shapes import Asked
from launcher.families.common.tile_grid import TileRule

_NAME, _MODEL_TYPE = "InternVLForConditionalGeneration", "internvl"
_LANGUAGES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}
"""By their model_type."""
_MOST_TILES = 12
"""The processor's own bound. A checkpoint whose file has a lower one is loaded where the preset's
``memory.max_tiles`` has it, too."""
_MARKS = PictureMarks(
    "<img>",
    internvl.PICTURE_TOKEN,
    "</img>\n",
    in_template=f"{internvl.PICTURE_TOKEN}\n",
    label=internvl.PICTURE_LABEL,
    typed=internvl.GROUNDING,
)

_INSTEAD = "internvl3_5-2b"
_ONLY: Mapping[str, Any] = {
    "projector_hidden_act": "gelu",
    "vision_feature_layer": -1,
    "vision_feature_select_strategy": "default",
}
_ONLY_TOWER: Mapping[str, Any] = {
    "hidden_act": "gelu",
    "use_absolute_position_embeddings": True,
    "use_mean_pooling": True,
}
"""What transformers' classes can be told otherwise, and LMDeploy's engines compute in one way whatever
config.json says."""


def _sizes(config: ConfigPart) -> ModelSizes:
    text = config.part("text_config")
    language, language_bytes = language_part(text, _name(text), config.values.get("quantization_config"))
    outside = any(config.values.get(key) for key in ("torch_dtype", "dtype"))
    dtype = reading.dtype(config if outside else text)
    rule, patch_px = _tiles(config)
    return internvl.model_sizes(config, dtype, language, language_bytes, rule=rule, patch_px=patch_px)


def _name(text: ConfigPart) -> str:
    """The language model's architecture. Raises CheckpointError: LMDeploy would not find it."""
    match text.values.get("architectures"):
        case [str(name), *_] if name in _LANGUAGES.values():
            return name
    raise CheckpointError(
        "{file}: {key} is {value}; LMDeploy looks there for one of {known}",
        WRONG_CONFIG,
        **text.facts("architectures"),
        known=", ".join(_LANGUAGES.values()),
    )


def _tiles(config: ConfigPart) -> tuple[TileRule, int]:
    """How pictures are cut, and the side of a patch."""
    vision = config.part("vision_config")
    size_px = _side(vision, "image_size", reading.MAX_IMAGE_PX)
    return TileRule(size_px, 1, _MOST_TILES, thumbnail=True), _side(vision, "patch_size", size_px)


def _side(vision: ConfigPart, key: str, high: int) -> int:
    """A side in pixels, which is published as a height and the same width."""
    match vision.values.get(key):
        case [height, width] if height == width:
            return ConfigPart({key: height}, vision.file, vision.place).whole(key, high)
    return vision.whole(key, high)


def _check(config: ConfigPart) -> None:
    vision = config.values.get("vision_config")
    tower = ConfigPart(vision if isinstance(vision, Mapping) else {}, config.file, "vision_config.")
    internvl.check_only(config, _ONLY, _INSTEAD)
    internvl.check_only(tower, _ONLY_TOWER, _INSTEAD)


def _asked(config: ConfigPart) -> Asked:
    vision, text = config.part("vision_config"), config.part("text_config")
    rule, patch_px = _tiles(config)
    hidden, joined, out = internvl.asked_widths(config, text)
    return Asked(
        shapes={
            "embeddings.position_embeddings": (1, (rule.size_px // patch_px) ** 2 + 1, hidden),
            "patch_embeddings.projection.weight": (hidden, 3, patch_px, patch_px),
            "multi_modal_projector.layer_norm.weight": (joined,),
            "multi_modal_projector.linear_1.weight": (out, joined),
        },
        switches={
            **block_switches(text, _name(text)),
            "attention.q_proj.bias": bool(vision.values.get("attention_bias")),
            "attention.q_norm.weight": bool(vision.values.get("use_qk_norm")),
            "embeddings.mask_token": bool(vision.values.get("use_mask_token")),
            "layernorm_before.bias": vision.values.get("norm_type", "layer_norm") == "layer_norm",
        },
    )


def _preparation(budget: PictureBudget) -> Preparation:
    """transformers' GotOcr2 processor, with ImageNet's colours; ``resample`` is Pillow's number for
    bicubic."""
    assert isinstance(budget, TileBudget)
    rule = budget.rule
    values = {
        "size": {"height": rule.size_px, "width": rule.size_px},
        "image_mean": list(internvl.MEAN),
        "image_std": list(internvl.STD),
        "resample": 3,
    }
    return Preparation(values, most_tiles=rule.max_tiles)


def _published(language: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": [_NAME],
        "model_type": _MODEL_TYPE,
        "downsample_ratio": 0.5,
        "text_config": dict(language),
        "vision_config": internvl.INTERNVIT_300M,
        "torch_dtype": "bfloat16",
    }


FAMILY = Family(
    title="InternVL3 and 3.5 in transformers' layout (-HF)",
    architectures=tuple(Architecture(_NAME, name, (kind,), _MODEL_TYPE) for kind, name in _LANGUAGES.items()),
    engines=("turbomind", "pytorch"),
    reads_pictures=True,
    read_sizes=_sizes,
    templates={},
    template_name=lambda _: TOKENIZER_S_OWN,
    decoder=internvl.DECODER,
    loader="launcher.models.internvl_hf:load",
    picture_marks=_MARKS,
    picture_token=internvl.PICTURE_TOKEN,
    pixels="launcher.models.internvl_hf:cutter",
    tensor_parts={"vision_tower.": "vision", "multi_modal_projector.": "projector"},
    check=_check,
    asked=_asked,
    preparation=_preparation,
    published={
        "OpenGVLab/InternVL3-1B-hf": _published(internvl.QWEN2_5_0_5B),
        "OpenGVLab/InternVL3_5-2B-HF": _published(QWEN3_1_7B),
    },
)
