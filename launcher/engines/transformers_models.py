"""What the transformers engine needs of each architecture: how it loads, and how it reads pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutputWithPooling

from launcher.errors import CheckpointError
from launcher.models import internlm2, internvl2, xcomposer2
from launcher.models.prompts import ChatTemplate
from launcher.models.tiles import TileRule, count_tiles, cut_tiles, to_pixels


@dataclass(frozen=True, slots=True)
class PictureReader:
    """How a model reads a picture: ``count_tokens`` of them stand for it in the prompt, each ``token_id``."""

    token_id: int
    max_tiles: int | None
    count_tokens: Callable[[Image.Image], int]
    to_pixels: Callable[[Image.Image], Tensor]
    """Picture -> float32 (tiles, 3, height, width)."""
    see: Callable[[Tensor], Tensor]
    """Pixels on the model's device, of its dtype -> what the language model is given of them, tiles first."""
    arguments: Callable[[Tensor], dict[str, Any]]
    """What was seen of all pictures in ``input_ids``, in reading order -> the model's arguments for it."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that can answer. ``max_tokens`` is what its positions reach; ``pictures`` is None for a text
    model."""

    model: Any
    max_tokens: int
    pictures: PictureReader | None = None


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What every loader is given. ``max_tiles`` None takes the checkpoint's own limit."""

    folder: Path
    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate
    dtype: torch.dtype
    device: str
    max_tiles: int | None


def load_internlm2(request: LoadRequest) -> LoadedModel:
    """InternLM2ForCausalLM: text alone."""
    model = internlm2.load_model(request.folder, request.dtype, request.device)
    return LoadedModel(model, model.config.max_position_embeddings)


def load_internvl2(request: LoadRequest) -> LoadedModel:
    """InternVLChatModel: a picture is its tiles and a thumbnail."""
    config = internvl2.InternVLChatConfig.from_pretrained(request.folder)
    model = internvl2.load_model(request.folder, request.dtype, request.device)
    rule, token_id = TileRule.of(config, request.max_tiles), picture_token_id(request)
    model.config.image_token_id = token_id
    reader = PictureReader(
        token_id,
        rule.max_tiles,
        count_tokens=lambda picture: (
            count_tiles(picture.width, picture.height, rule) * config.tokens_per_tile
        ),
        to_pixels=lambda picture: to_pixels(cut_tiles(picture, rule)),
        see=lambda pixels: (
            model.get_image_features(
                pixels, vision_feature_layer=-1, vision_feature_select_strategy="default"
            ).pooler_output
        ),
        arguments=lambda seen: {
            "mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=seen)}
        },
    )
    return LoadedModel(model, config.llm_config.max_position_embeddings, reader)


def load_xcomposer2(request: LoadRequest) -> LoadedModel:
    """InternLMXComposer2ForCausalLM: a picture is squeezed to one square."""
    model = xcomposer2.load_model(request.folder, request.dtype, request.device)
    config = model.config
    reader = PictureReader(
        config.image_token_id,
        None,
        count_tokens=lambda _: int(config.picture_tokens),
        to_pixels=lambda picture: xcomposer2.picture_pixels([picture], config.img_size),
        see=model.picture_embeddings,
        arguments=lambda seen: {"picture_embeddings": seen},
    )
    return LoadedModel(model, config.max_position_embeddings, reader)


LOADERS: dict[str, Callable[[LoadRequest], LoadedModel]] = {
    "InternLM2ForCausalLM": load_internlm2,
    "InternVLChatModel": load_internvl2,
    "InternLMXComposer2ForCausalLM": load_xcomposer2,
}
"""The loaders by the name that config.json's ``architectures`` gives."""


def read_config(folder: Path) -> Any:
    """A checkpoint folder's config, its architecture one of ``LOADERS``.

    Raises:
        CheckpointError: config.json is missing, damaged, or of another architecture.
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "{folder}: config.json cannot be used: {reason}",
            hint="Download the model again.",
            folder=folder,
            reason=str(error).split("\n", maxsplit=1)[0],
        ) from error
    architecture = (config.architectures or ["none"])[0]
    if architecture not in LOADERS:
        raise CheckpointError(
            "{folder}: the transformers engine does not know the architecture {architecture}; it knows"
            " {known}",
            hint="Use one of these models, or another engine.",
            folder=folder,
            architecture=architecture,
            known=", ".join(LOADERS),
        )
    return config


def picture_token_id(request: LoadRequest) -> int:
    """The id of the template's picture token.

    Raises:
        CheckpointError: the tokenizer does not have it as one token.
    """
    token_id = request.tokenizer.convert_tokens_to_ids(request.template.picture_token)
    if not isinstance(token_id, int) or token_id == request.tokenizer.unk_token_id:
        raise CheckpointError(
            "{folder}: the tokenizer has no token {token}",
            hint="Download tokenizer.model and tokenizer_config.json again.",
            folder=request.folder,
            token=request.template.picture_token,
        )
    return token_id
