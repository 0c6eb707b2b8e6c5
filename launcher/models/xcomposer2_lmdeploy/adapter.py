"""PLoRA in the form of LMDeploy's LoRA adapters, on the pictures of a batch alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

ADAPTER = "partial_lora"
"""Our name among a linear layer's ``lora_adapters``."""


class PictureStretches:
    """Where the pictures of the forward pass under way are in the flattened batch; empty in decoding. One per
    model."""

    def __init__(self) -> None:
        self.now: tuple[slice, ...] = ()


def picture_stretches(context: Any) -> tuple[tuple[slice, ...], list[Tensor]]:
    """Where the pictures of a prefill stand in the flattened batch, and their pixels [1, 3, s, s], in that
    order.

    A sequence's tokens begin at ``q_start_loc``; what is already in the KV cache (an earlier chunk, a cached
    prefix, an earlier turn) is not among them, while a picture's ``start`` counts from the beginning of the
    sequence.
    """
    pictures_by_sequence = [found.get("image", []) for found in context.input_multimodals or ()]
    if not any(pictures_by_sequence):
        return (), []
    # one wait for the GPU per prefill with pictures, before anything of it is launched
    offsets = (context.q_start_loc - (context.kv_seqlens - context.q_seqlens)).tolist()
    pairs = zip(offsets, pictures_by_sequence, strict=True)
    placed = [
        (slice(offset + p.start, offset + p.end), p.data) for offset, pictures in pairs for p in pictures
    ]
    return tuple(stretch for stretch, _ in placed), [pixels for _, pixels in placed]


class PartialLora(nn.Module):
    """``out[pictures] += scale * B (A x[pictures])``, called by LMDeploy's linear layers as one of their LoRA
    adapters.

    A fused layer (gate and up) has one A [rank * parts, in] and a B [out, rank] for each of its parts.
    """

    def __init__(
        self, parts: Sequence[int], in_features: int, rank: int, scale: float, pictures: PictureStretches
    ) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.empty(rank * len(parts), in_features), requires_grad=False)
        self.B = nn.ParameterList(nn.Parameter(torch.empty(out, rank), requires_grad=False) for out in parts)
        self.scale = scale
        self._pictures = pictures

    def forward(self, x: Tensor, base_output: Tensor) -> Tensor:
        """x [1, tokens, in], base_output [1, tokens, out]; changes base_output in place and returns it."""
        rows, out = x.flatten(0, -2), base_output.flatten(0, -2)
        for stretch in self._pictures.now if self.scale else ():
            low = functional.linear(rows[stretch], self.A).chunk(len(self.B), dim=1)
            columns = torch.split(out[stretch], [b.shape[0] for b in self.B], dim=1)
            for part, mid, b in zip(columns, low, self.B, strict=True):
                part.addmm_(mid, b.T, alpha=self.scale)
        return base_output
