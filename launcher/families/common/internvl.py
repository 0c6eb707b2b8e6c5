"""What InternVL's models share, whatever language model is inside: tower, prompt forms; and how their makers'
own layout (InternVLChatModel) says how pictures are cut. transformers' layout has a file of its own
(``launcher.families.internvl_hf``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from launcher.errors import CheckpointError, UnsupportedModel
from launcher.families.common import internlm, reading
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.pictures import TileBudget
from launcher.families.common.prompts import ChatTemplate
from launcher.families.common.sizes import ELEMENT_BYTES, LanguageSizes, ModelSizes, TowerSizes
from launcher.families.common.tensor_shapes import Asked
from launcher.families.common.tensors import PartNames
from launcher.families.common.tile_grid import TileRule

NAME, MODEL_TYPE = "InternVLChatModel", "internvl_chat"
TENSOR_PARTS: PartNames = {"vision_model.": "vision", "mlp1.": "projector"}
DECODER = "launcher.models.tokenizer_decoder:TokenizerDecoder"
"""For the language models that are not InternLM2."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's mean and spread of red, green and blue."""

_INSTEAD = "internvl2-2b"
_ONLY: Mapping[str, Any] = {"ps_version": "v2", "select_layer": -1}
_PUBLISHED_PX = 448
"""Side of the picture that the tower was trained on, where its config does not say it."""
_MAX_TILES = 1024
"""Several times what the largest published models have: beyond it a config.json is wrong."""

PICTURE_TOKEN = "<IMG_CONTEXT>"
PICTURE_LABEL = "Image-{number}: "
"""As its makers number several pictures of a turn."""
GROUNDING = frozenset({"<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>"})
"""Around what a question names, and where it is: people type them, and they forge nothing."""

_INTERNVL2 = ChatTemplate(
    turn_start="<|im_start|>",
    turn_end="<|im_end|>",
    markup=re.compile(rf"{internlm.MARKUP.pattern}|<\|endoftext\|>"),  # in InternLM2's vocabulary or Qwen's
    turn_separator="",
    picture_open="<img>",
    picture_token=PICTURE_TOKEN,
    picture_close="</img>\n",
    picture_label=PICTURE_LABEL,
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


def makers_sizes(config: ConfigPart, language: LanguageSizes, language_bytes: int) -> ModelSizes:
    """The sizes of a model in its makers' layout with this language model inside. Raises CheckpointError."""
    dtype = reading.dtype(config.part("llm_config") if language.weight_bits == 16 else config)
    rule, patch_px = _makers_tiles(config)
    return model_sizes(config, dtype, language, language_bytes, rule=rule, patch_px=patch_px)


def model_sizes(
    config: ConfigPart,
    dtype: str,
    language: LanguageSizes,
    language_bytes: int,
    *,
    rule: TileRule,
    patch_px: int,
) -> ModelSizes:
    """The sizes of a model in either layout.

    Args:
        config: the whole.
        dtype: what the numbers of its checkpoint are.
        language: the language model inside.
        language_bytes: of its weights.
        rule: how pictures are cut.
        patch_px: side of a patch.

    Raises:
        CheckpointError: a size is missing or wrong.
    """
    vision = config.part("vision_config")
    tower = TowerSizes(
        layers=vision.whole("num_hidden_layers", reading.MAX_LAYERS),
        hidden=vision.whole("hidden_size", reading.MAX_HIDDEN),
        intermediate=vision.whole("intermediate_size", reading.MAX_HIDDEN),
    )
    reading.check_divides(vision, "num_attention_heads", tower.hidden)
    patches = (rule.size_px // patch_px) ** 2
    joined = 4 * tower.hidden
    projector = 2 * joined + (joined + 1) * language.hidden + (language.hidden + 1) * language.hidden
    return ModelSizes(
        architecture=config.values["architectures"][0],
        dtype=dtype,
        language=language,
        language_bytes=language_bytes,
        tower=tower,
        pictures=TileBudget(rule, _tile_tokens(config, patches), patches),
        vision_bytes=reading.tower_bytes(tower, patch_px, patches, scale_vectors=2),
        projector_bytes=projector * ELEMENT_BYTES,
    )


def _makers_tiles(config: ConfigPart) -> tuple[TileRule, int]:
    """How pictures are cut, and the side of a patch."""
    vision = config.part("vision_config")
    forced = config.values.get("force_image_size") is not None
    place = (config, "force_image_size") if forced else (vision, "image_size")
    size_px = place[0].whole(place[1], reading.MAX_IMAGE_PX)
    dynamic = bool(config.values.get("dynamic_image_size"))
    most = config.whole("max_dynamic_patch", _MAX_TILES) if dynamic else 1
    least = config.whole("min_dynamic_patch", most, 1) if dynamic else 1
    rule = TileRule(size_px, least, most, thumbnail=bool(config.values.get("use_thumbnail")))
    return rule, vision.whole("patch_size", size_px)


def check_makers(config: ConfigPart) -> None:
    """Raises UnsupportedModel where the pixel order or the feature layer is one that no engine here knows
    (InternVL 1.0 to 1.2), or the size of tiles is not the tower's."""
    check_only(config, _ONLY, _INSTEAD)
    _check_one_size(config)


def check_only(part: ConfigPart, only: Mapping[str, Any], instead: str) -> None:
    """Raises UnsupportedModel where a value is another than the only one that runs; ``instead`` is a preset
    that does."""
    for key, value in only.items():
        if part.values.get(key, value) != value:
            raise UnsupportedModel(
                "{file}: {key} is {value}; InternVL runs with {only} alone",
                "Take {instead}.",
                **part.facts(key),
                only=value,
                instead=instead,
            )


def _check_one_size(config: ConfigPart) -> None:
    """LMDeploy cuts tiles of the tower's size and counts their tokens by the other: where the two differ, a
    picture has more or fewer tokens than its place in the prompt (``lmdeploy/vl/model/internvl.py``)."""
    if config.values.get("force_image_size") is None:
        return
    size_px = config.part("vision_config").whole("image_size", reading.MAX_IMAGE_PX, _PUBLISHED_PX)
    if config.whole("force_image_size", reading.MAX_IMAGE_PX) != size_px:
        raise UnsupportedModel(
            "{file}: {key} is {value}, and vision_config.image_size is {size}; InternVL runs where both are"
            " the same",
            "Take {instead}.",
            **config.facts("force_image_size"),
            size=size_px,
            instead=_INSTEAD,
        )


def makers_asked(config: ConfigPart, language: Mapping[str, bool]) -> Asked:
    """What a config in the makers' layout asks of tensors; ``language``: which those of the language model
    are there. Raises CheckpointError."""
    vision = config.part("vision_config")
    patch_px = vision.whole("patch_size", reading.MAX_IMAGE_PX)
    side = vision.whole("image_size", reading.MAX_IMAGE_PX, _PUBLISHED_PX) // patch_px
    hidden, joined, out = asked_widths(config, config.part("llm_config"))
    return Asked(
        shapes={
            "embeddings.position_embedding": (1, side**2 + 1, hidden),
            "embeddings.patch_embedding.weight": (hidden, 3, patch_px, patch_px),
            "mlp1.0.weight": (joined,),
            "mlp1.1.weight": (out, joined),
        },
        switches={
            **language,
            "attn.qkv.bias": vision.values.get("qkv_bias", True) is True,
            "attn.q_norm.weight": bool(vision.values.get("qk_normalization")),
            "norm1.bias": vision.values.get("norm_type", "layer_norm") == "layer_norm",
        },
    )


def asked_widths(config: ConfigPart, language: ConfigPart) -> tuple[int, int, int]:
    """Hidden numbers of the tower, of patches that are joined, and of the language model. Raises
    CheckpointError."""
    hidden = config.part("vision_config").whole("hidden_size", reading.MAX_HIDDEN)
    joined = hidden * int(1 / config.share("downsample_ratio")) ** 2
    return hidden, joined, language.whole("hidden_size", reading.MAX_HIDDEN)


def _tile_tokens(config: ConfigPart, patches: int) -> int:
    """Of a tile of so many patches."""
    tokens = int(patches * config.share("downsample_ratio") ** 2)
    if tokens < 1:
        raise CheckpointError(
            "{file}: {key} is {value}, which leaves a picture no token",
            WRONG_CONFIG,
            **config.facts("downsample_ratio"),
        )
    return tokens


QWEN2_5_0_5B: dict[str, Any] = {
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
}
"""Inside InternVL3-1B, as printed from the published model (github.com/shivangjhalani/multicoco,
InternVL3-1B_data.md); with these it has the 938 million parameters that its hub counts."""
INTERNVIT_300M: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "image_size": 448,
}
"""The tower of all small sizes."""


def published(language: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The config of a published model of the small sizes, which differ in the language model, in its makers'
    layout, cut down to what memory depends on."""
    return {
        "architectures": [NAME],
        "model_type": MODEL_TYPE,
        "llm_config": dict(language),
        "vision_config": INTERNVIT_300M,
        "force_image_size": 448,
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "max_dynamic_patch": 12,
        "use_thumbnail": True,
        "torch_dtype": "bfloat16",
        **changes,
    }
