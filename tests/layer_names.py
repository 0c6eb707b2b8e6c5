"""Weights of tests that are one tensor have these beside it: empty ones, so that no config asks for more
layers than there are."""

from __future__ import annotations

EMPTY_LAYERS = (
    "model.layers.999.w",
    "vision_model.encoder.layers.999.w",
    "vit.vision_tower.vision_model.encoder.layers.999.w",
)


def header_of(bytes_of_w: int, *more: str) -> dict[str, dict[str, object]]:
    """A safetensors file's header: ``w``, and the empty ones behind it, ``more`` of them if need be."""
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [bytes_of_w, bytes_of_w]}
    return {
        "w": {"dtype": "U8", "shape": [bytes_of_w], "data_offsets": [0, bytes_of_w]},
        **dict.fromkeys((*EMPTY_LAYERS, *more), empty),
    }
