"""A model that is held whole: how every loader on transformers ends. Models held a part at a time are
``layered``."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from launcher.models.weights import Unfilled, fill


def filled(unfilled: Unfilled, language: str, dtype: torch.dtype, device: str) -> Any:
    """The model with its checkpoint's weights, ready to answer.

    Args:
        unfilled: the model and its tensors.
        language: name of the module that is its language model.
        dtype: of the weights in memory.
        device: torch device name.

    Raises:
        CheckpointError: a tensor is of the wrong shape, or a parameter would be left unfilled.
    """
    fill(unfilled, dtype, device)
    model = unfilled.model
    renew_rotary(model.get_submodule(language), device)
    model.tie_weights()
    return model.eval()


def renew_rotary(language: nn.Module, device: str) -> None:
    """Computes the rotary frequencies of a language model built on the meta device: no parameter holds
    them."""
    rotary = language.get_submodule("rotary_emb")
    language.rotary_emb = type(rotary)(language.config).to(device)
