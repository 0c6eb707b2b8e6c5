"""What Qwen's picture models share: how their pictures are scaled and written down, the tower's numbers by
their names for them, the names of tensors, what runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from launcher.engine_costs import EngineKind
from launcher.families.common import reading
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.family import TOKENIZER_S_OWN, Architecture, Family
from launcher.families.common.pictures import PictureBudget
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.pixel_rule import Color, PixelRule
from launcher.families.common.preprocessing import Preparation
from launcher.families.common.prompts import PictureMarks
from launcher.families.common.rotary import check_sections
from launcher.families.common.sizes import ELEMENT_BYTES, LanguageSizes, ModelSizes, TowerSizes
from launcher.families.common.tensor_shapes import Asked
from launcher.families.common.tensors import PartNames

_MARKS = PictureMarks("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
_TENSOR_PARTS: PartNames = {
    "model.visual.merger.": "projector",
    "model.visual.deepstack_merger_list.": "projector",
    "model.visual.": "vision",
    "visual.merger.": "projector",
    "visual.": "vision",
}
"""As transformers writes them, and, without "model.", as Qwen2-VL and Qwen2.5-VL were published."""
LOADER = "launcher.models.qwen_vl:load"
_MOST_TOKENS = 16384
"""Of one picture, in every published preprocessor_config.json. The bounds are the family's: of a checkpoint
whose own differ the preset's ``memory.max_picture_tokens`` says more."""
_MAX_MERGE = 16
_OUT = 3584
"""How wide a language model transformers takes for granted where the tower's config does not say it."""
_HEADS = 16
"""Of a tower whose config does not say it, as in transformers' own."""
_FILLED_UP = {80: 48}
"""By numbers in a head of the tower: so many more it has on TurboMind, whose kernels know 64 and 128
(LMDeploy 0.18, ``turbomind/models/qwen2_vl.py``)."""
_ATTENTION_PARTS = 4
"""Queries, keys, values, and what leads back."""
FRAMES = 2
"""A patch is two frames deep; a picture is two of the same."""


class ReadLanguage(Protocol):
    """A language model's config, and what is said outside of it on quantisation -> its shape, and its bytes.
    Raises CheckpointError."""

    def __call__(self, config: ConfigPart, *, quantization: object) -> tuple[LanguageSizes, int]:
        """See above."""
        ...


def language(config: ConfigPart) -> ConfigPart:
    """The language model's part: ``text_config``, or the whole, as Qwen2-VL and Qwen2.5-VL were published.
    Whether the head is the embedding table is said outside of it."""
    if not config.values.get("text_config"):
        return config
    text = config.part("text_config")
    tied = config.values.get("tie_word_embeddings", text.values.get("tie_word_embeddings"))
    return ConfigPart({**text.values, "tie_word_embeddings": tied}, text.file, text.place)


def dtype(config: ConfigPart) -> str:
    """What the checkpoint's numbers are: said outside, or in the language model's part."""
    outside = any(config.values.get(key) for key in ("torch_dtype", "dtype"))
    return reading.dtype(config if outside else language(config))


def budget(vision: ConfigPart, patch_px: int, least: int, mean: Color, std: Color) -> PixelBudget:
    """How pictures are scaled.

    Args:
        vision: ``vision_config``.
        patch_px: side of a patch where the config does not say it.
        least: tokens up to which smaller pictures are made larger.
        mean: of colours.
        std: of colours.

    Raises:
        CheckpointError: a size is wrong.
    """
    return PixelBudget(
        PixelRule(
            patch_px=vision.whole("patch_size", reading.MAX_IMAGE_PX, patch_px),
            merge=vision.whole("spatial_merge_size", _MAX_MERGE, 2),
            least=least,
            most=_MOST_TOKENS,
            mean=mean,
            std=std,
        )
    )


def model_sizes(
    config: ConfigPart,
    read_language: ReadLanguage,
    tower: TowerSizes,
    pictures: PixelBudget,
    *,
    tower_elements: int,
    merger_elements: Callable[[int], int],
) -> ModelSizes:
    """All sizes of a model.

    Args:
        config: of the whole.
        read_language: reads its language model's.
        tower: its shape.
        pictures: how they are scaled.
        tower_elements: numbers in its weights.
        merger_elements: those in what leads from the tower to a language model of so many hidden numbers.

    Raises:
        CheckpointError: a size is wrong.
    """
    quantization = config.values.get("quantization_config")
    text, text_bytes = read_language(language(config), quantization=quantization)
    return ModelSizes(
        architecture=config.values["architectures"][0],
        dtype=dtype(config),
        language=text,
        language_bytes=text_bytes,
        tower=tower,
        pictures=pictures,
        vision_bytes=tower_elements * ELEMENT_BYTES,
        projector_bytes=merger_elements(text.hidden) * ELEMENT_BYTES,
    )


def tower(vision: ConfigPart, hidden: int, intermediate: int) -> TowerSizes:
    """The tower's shape. Raises CheckpointError."""
    reading.check_divides(vision, "num_heads", hidden)
    layers = vision.whole("depth", reading.MAX_LAYERS)
    heads = vision.whole("num_heads", hidden, _HEADS)
    filled_up = _FILLED_UP.get(hidden // heads, 0) * heads
    padding_bytes = layers * _ATTENTION_PARTS * hidden * filled_up * ELEMENT_BYTES
    return TowerSizes(layers, hidden, intermediate, padding_bytes)


def patch_elements(pictures: PixelBudget, hidden: int) -> int:
    """Of the weight that makes patches: three colours, ``FRAMES`` deep."""
    return 3 * FRAMES * pictures.rule.patch_px**2 * hidden


def asked(config: ConfigPart, hidden: int, patch_px: int, out_key: str, merger: str) -> Asked:
    """What a config asks of tensors in the tower and the merger, and what transformers asks of the config
    beside its sizes.

    Args:
        config: of the whole.
        hidden: of the tower.
        patch_px: side of a patch where the config does not say it.
        out_key: where it says how wide the language model is.
        merger: how the name of the weight ends that leads there.

    Raises:
        CheckpointError: a size is wrong.
    """
    _check_language(language(config))
    vision = config.part("vision_config")
    side = vision.whole("patch_size", reading.MAX_IMAGE_PX, patch_px)
    frames = vision.whole("temporal_patch_size", _MAX_MERGE, FRAMES)
    joined = vision.whole("spatial_merge_size", _MAX_MERGE, 2) ** 2 * hidden
    return Asked(
        shapes={
            "patch_embed.proj.weight": (hidden, 3, frames, side, side),
            merger: (vision.whole(out_key, reading.MAX_HIDDEN, _OUT), joined),
        }
    )


def _check_language(text: ConfigPart) -> None:
    """transformers takes other heads for granted than others do, and needs as many rows and columns as a
    head has pairs of numbers. Raises CheckpointError."""
    heads = text.whole("num_attention_heads", reading.MAX_HEADS)
    text.whole("num_key_value_heads", reading.MAX_HEADS)
    head_dim = text.whole("hidden_size", reading.MAX_HIDDEN) // heads
    if "head_dim" in text.values:
        head_dim = text.whole("head_dim", reading.MAX_HEADS)
    check_sections(text, head_dim)


def _preparation(budget: PictureBudget) -> Preparation:
    """How a picture is prepared within a budget, by the names of transformers' Qwen2VL processor."""
    assert isinstance(budget, PixelBudget)
    rule = budget.rule
    return Preparation(
        {
            "patch_size": rule.patch_px,
            "merge_size": rule.merge,
            "temporal_patch_size": FRAMES,
            "image_mean": list(rule.mean),
            "image_std": list(rule.std),
        }
    )


def family(
    *,
    title: str,
    architectures: Mapping[str, str],
    engines: tuple[EngineKind, ...],
    read_sizes: Callable[[ConfigPart], ModelSizes],
    asked: Callable[[ConfigPart], Asked],
    published: Mapping[str, Mapping[str, Any]],
    unread_tensors: tuple[str, ...] = (),
    packages: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Family:
    """A family of such models: ``Family`` says what each of these is; ``architectures`` are names -> model
    types."""
    return Family(
        title=title,
        architectures=tuple(Architecture(name, model_type=kind) for name, kind in architectures.items()),
        engines=engines,
        reads_pictures=True,
        read_sizes=read_sizes,
        templates={},
        template_name=lambda _: TOKENIZER_S_OWN,
        decoder="launcher.models.tokenizer_decoder:TokenizerDecoder",
        loader=LOADER,
        picture_marks=_MARKS,
        picture_token=_MARKS.token,
        pixels="launcher.models.qwen_vl_pixels:scaler",
        preparation=_preparation,
        asked=asked,
        tensor_parts=_TENSOR_PARTS,
        unread_tensors=unread_tensors,
        published=published,
        packages=packages,
    )
