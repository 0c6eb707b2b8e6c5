"""What Qwen's picture models share: how their pictures are scaled and written down, the tower's numbers by
their names for them, the names of tensors."""

from __future__ import annotations

from collections.abc import Callable

from launcher.families.common import reading
from launcher.families.common.blocks import language_part
from launcher.families.common.config_part import ConfigPart
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.pixel_rule import Color, PixelRule
from launcher.families.common.prompts import PictureMarks
from launcher.families.common.sizes import ELEMENT_BYTES, ModelSizes, TowerSizes
from launcher.families.common.tensors import PartNames

MARKS = PictureMarks("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
TENSOR_PARTS: PartNames = {
    "model.visual.merger.": "projector",
    "model.visual.deepstack_merger_list.": "projector",
    "model.visual.": "vision",
    "visual.merger.": "projector",
    "visual.": "vision",
}
"""As transformers writes them, and, without "model.", as Qwen2-VL and Qwen2.5-VL were published."""
LOADER = "launcher.models.qwen_vl:load"
PIXELS = "launcher.models.qwen_vl_pixels:scaler"
DECODER = "launcher.models.tokenizer_decoder:TokenizerDecoder"

_MOST_TOKENS = 16384
"""Of one picture, in every published preprocessor_config.json. The bounds are the family's: of a checkpoint
whose own differ the preset's ``memory.max_picture_tokens`` says more."""
_MAX_MERGE = 16
FRAMES = 2
"""A patch is two frames deep; a picture is two of the same."""


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
    language_name: str,
    tower: TowerSizes,
    pictures: PixelBudget,
    *,
    tower_elements: int,
    merger_elements: Callable[[int], int],
) -> ModelSizes:
    """All sizes of a model.

    Args:
        config: of the whole.
        language_name: the architecture that its language model is built like.
        tower: its shape.
        pictures: how they are scaled.
        tower_elements: numbers in its weights.
        merger_elements: those in what leads from the tower to a language model of so many hidden numbers.

    Raises:
        CheckpointError: a size is wrong.
    """
    quantization = config.values.get("quantization_config")
    text, text_bytes = language_part(language(config), language_name, quantization)
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
    return TowerSizes(vision.whole("depth", reading.MAX_LAYERS), hidden, intermediate)


def patch_elements(pictures: PixelBudget, hidden: int) -> int:
    """Of the weight that makes patches: three colours, ``FRAMES`` deep."""
    return 3 * FRAMES * pictures.rule.patch_px**2 * hidden
