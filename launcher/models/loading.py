"""What a model that runs on transformers is given to load, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerBase

from launcher.errors import CheckpointError
from launcher.families import PictureBudget, PromptForm


@dataclass(frozen=True, slots=True)
class Span:
    """Where a picture's tokens stand in a conversation: from ``start`` on, row by row, in a grid of so many
    rows and columns."""

    start: int
    grid: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PictureReader:
    """How a model reads a picture: tokens in a grid stand for it in the prompt, each ``token_id``.
    Both functions of a picture are told whether it may have one tile alone."""

    token_id: int
    max_tiles: int | None
    grid: Callable[[Image.Image, bool], tuple[int, int]]
    """Rows and columns of a picture's tokens; one row, where the model knows of none."""
    to_pixels: Callable[[Image.Image, bool], Tensor]
    """Picture -> float32 (tiles, 3, height, width)."""
    see: Callable[[Tensor], Tensor]
    """Pixels on the model's device, of its dtype -> what the language model is given of them, tiles first."""
    arguments: Callable[[Tensor, Tensor], dict[str, Any]]
    """Token ids, and what was seen of all pictures among them, in reading order -> the model's arguments for
    both."""
    positions: Callable[[Sequence[Span], int, int], Tensor] | None = None
    """Where a token's place is not its number: all pictures of a conversation, a token's number, how many
    from there on -> the model's ``position_ids``."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that can answer. ``max_tokens`` is what its positions reach; ``pictures`` is None for a text
    model; ``new_cache`` makes what it keeps of a conversation, still empty."""

    model: Any
    max_tokens: int
    pictures: PictureReader | None = None
    new_cache: Callable[[], DynamicCache] = DynamicCache


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What every loader is given. ``pictures`` is the family's budget within the preset's limit, None for a
    text model."""

    folder: Path
    tokenizer: PreTrainedTokenizerBase
    form: PromptForm
    dtype: torch.dtype
    device: str
    pictures: PictureBudget | None


def picture_token_id(request: LoadRequest) -> int:
    """The id of the form's picture token.

    Raises:
        CheckpointError: the tokenizer does not have it as one token.
    """
    token_id = request.tokenizer.convert_tokens_to_ids(request.form.picture_token)
    if not isinstance(token_id, int) or token_id == request.tokenizer.unk_token_id:
        raise CheckpointError(
            "{folder}: the tokenizer has no token {token}",
            hint="Download tokenizer.model and tokenizer_config.json again.",
            folder=request.folder,
            token=request.form.picture_token,
        )
    return token_id
