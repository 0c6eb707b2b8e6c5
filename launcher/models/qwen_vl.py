"""Qwen's picture models on transformers: built by AutoModelForImageTextToText, filled by
``launcher.models.weights``, asked past the whole model's ``forward``.

That one finds out the places of tokens by itself and remembers the last conversation's, for one conversation
at a time; and it looks at pictures anew. Here places come from ``mrope``, and what the tower has seen is kept
by the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    DynamicCache,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

from launcher.families.common.pixel_budget import PixelBudget
from launcher.models import qwen_vl_pixels
from launcher.models.awq import open_tensors
from launcher.models.internvl2 import with_pictures
from launcher.models.loading import LoadedModel, LoadRequest, PictureReader, picture_token_id
from launcher.models.mrope import positions
from launcher.models.weights import CheckpointTensors, TensorMap, Unfilled
from launcher.models.whole import filled

_HEAD = "lm_head.weight"
_DRAFTING = "mtp."
_LANGUAGE, _TOWER = "model.language_model.", "model.visual."


class LanguageSide:
    """What answers: the language model with its head, as the engine asks a whole model."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.whole = model
        self.device, self.dtype = model.device, model.dtype

    def __call__(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        logits_to_keep: int = 0,
        **rest: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of the last ``logits_to_keep`` tokens (0: of all), (1, tokens, vocabulary)."""
        output = self.whole.model.language_model(input_ids=input_ids, inputs_embeds=inputs_embeds, **rest)
        hidden = output.last_hidden_state[:, -logits_to_keep:]
        return CausalLMOutputWithPast(logits=self.whole.lm_head(hidden))


def load(request: LoadRequest) -> LoadedModel:
    """Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5.

    Raises:
        CheckpointError: the folder is incomplete, damaged, quantised in a way that is not known, or does not
            match its config.json.
    """
    config = AutoConfig.from_pretrained(request.folder, trust_remote_code=False)
    tensors = open_tensors(request.folder, config)
    if _HEAD not in tensors.names():  # transformers does not hear it in the language model's part
        config.tie_word_embeddings = True
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(
            config, trust_remote_code=False, attn_implementation="sdpa"
        )
    spare = frozenset(_not_needed(tensors, config))
    unfilled = Unfilled(model, _maps(model, tensors), tensors, spare)
    filled(unfilled, "model.language_model", request.dtype, request.device)
    tower = model.model.visual
    tower.rotary_pos_emb = type(tower.rotary_pos_emb)(tower.config).to(request.device)
    return LoadedModel(
        LanguageSide(model),
        config.text_config.max_position_embeddings,
        _reader(request, model),
        partial(DynamicCache, config=config.text_config),
    )


def _not_needed(tensors: CheckpointTensors, config: PreTrainedConfig) -> Iterator[str]:
    """A head that is the embedding once more, and what would draft tokens beside the model (Qwen3.5)."""
    for name in tensors.names():
        if name.startswith(_DRAFTING) or (name == _HEAD and config.tie_word_embeddings):
            yield name


def _maps(model: PreTrainedModel, tensors: CheckpointTensors) -> list[TensorMap]:
    """As transformers names them, or as Qwen2-VL and Qwen2.5-VL were published."""
    names = [name for name, _ in model.named_parameters()]
    if any(name.startswith(_LANGUAGE) for name in tensors.names()):
        return [TensorMap(name, (name,)) for name in names]
    return [TensorMap(_first_published(name), (name,)) for name in names]


def _first_published(name: str) -> str:
    if name.startswith(_LANGUAGE):
        return f"model.{name.removeprefix(_LANGUAGE)}"
    return name.removeprefix("model.") if name.startswith(_TOWER) else name


def _reader(request: LoadRequest, model: PreTrainedModel) -> PictureReader:
    budget, token_id = request.pictures, picture_token_id(request)
    assert isinstance(budget, PixelBudget)
    budgets = {False: budget, True: budget.coarse()}
    scalers = {one: qwen_vl_pixels.scaler(each) for one, each in budgets.items()}
    hidden = model.config.text_config.hidden_size

    def see(pixels: Tensor) -> Tensor:
        """(tokens, n * hidden): after the tower, then, where the model takes those, after inner layers."""
        patches = qwen_vl_pixels.to_patches(pixels, budget.rule)
        grid = qwen_vl_pixels.patch_grid(pixels, budget.rule).to(pixels.device)
        found = model.model.visual(patches, grid_thw=grid, return_dict=True)
        return torch.cat([found.pooler_output, *getattr(found, "deepstack_features", [])], dim=-1)

    def arguments(ids: Tensor, seen: Tensor) -> dict[str, Any]:
        is_picture = ids == token_id
        last, *inner = torch.split(seen, hidden, dim=-1)
        embedded = with_pictures(model.get_input_embeddings()(ids), is_picture, last)
        deepstack = {"visual_pos_masks": is_picture, "deepstack_visual_embeds": inner} if inner else {}
        return {"inputs_embeds": embedded, **deepstack}

    return PictureReader(
        token_id,
        max_tiles=None,
        grid=lambda picture, one_tile: budgets[one_tile].grid(picture.width, picture.height),
        to_pixels=lambda picture, one_tile: scalers[one_tile](picture),
        see=see,
        arguments=arguments,
        positions=positions,
    )
