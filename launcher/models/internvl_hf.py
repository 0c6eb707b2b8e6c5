"""InternVL in transformers' own layout: built by AutoModelForImageTextToText, filled by
``launcher.models.weights``. It reads pictures as the makers' layout does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedModel

from launcher.families import PictureBudget
from launcher.families.common.pictures import TileBudget
from launcher.models.awq import open_tensors
from launcher.models.loaders import internvl2_reader
from launcher.models.loading import LoadedModel, LoadRequest
from launcher.models.tiles import cut_tiles, to_pixels
from launcher.models.weights import TensorMap, Unfilled
from launcher.models.whole import filled

_HEAD = "lm_head.weight"
_PUBLISHED = {
    _HEAD: f"language_model.{_HEAD}",
    "model.language_model.": "language_model.model.",
    "model.vision_tower.": "vision_tower.",
    "model.multi_modal_projector.": "multi_modal_projector.",
}
"""How the names of parameters begin, and how those of the tensors do that transformers writes and reads."""


def load(request: LoadRequest) -> LoadedModel:
    """InternVLForConditionalGeneration.

    Raises:
        CheckpointError: the folder is incomplete, damaged, quantised in a way that is not known, or does not
            match its config.json.
    """
    config = AutoConfig.from_pretrained(request.folder, trust_remote_code=False)
    tied = config.text_config.tie_word_embeddings
    # Published files say it there alone, and transformers 5 takes silence outside for yes.
    config.tie_word_embeddings = tied
    tensors = open_tensors(request.folder, config, config.text_config)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(
            config, trust_remote_code=False, attn_implementation="sdpa"
        )
    spare = frozenset({_PUBLISHED[_HEAD]}) if tied else frozenset[str]()
    unfilled = Unfilled(model, _maps(model), tensors, spare)
    filled(unfilled, "model.language_model", request.dtype, request.device)
    return LoadedModel(model, config.text_config.max_position_embeddings, internvl2_reader(model, request))


def cutter(budget: PictureBudget) -> Callable[[Image.Image], Tensor]:
    """What makes pixels of a picture, float32 (tiles, 3, size, size)."""
    assert isinstance(budget, TileBudget)
    rule = budget.rule
    return lambda picture: to_pixels(cut_tiles(picture, rule))


def _maps(model: PreTrainedModel) -> list[TensorMap]:
    return [TensorMap(_published(name), (name,)) for name, _ in model.named_parameters()]


def _published(name: str) -> str:
    begin = next(each for each in _PUBLISHED if name.startswith(each))
    return _PUBLISHED[begin] + name.removeprefix(begin)
