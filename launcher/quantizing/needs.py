"""How much memory and disk quantising takes, known from the model's shape before anything is read.

At most one part of the model is held in 32 bits: a decoder layer with what its search holds, the picture
tower, or the token table. Measured on the CPU: docs/measurements.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from launcher.families import ModelSizes, in_four_bits

_FLOAT = 4
_PROCESS_BYTES = 900 * 2**20
"""PyTorch and transformers, imported and at work."""
_CUDA_BYTES = 700 * 2**20
"""A CUDA context, and cuBLAS's scratch."""
_COPIES = 7
"""Of the largest weight, while it is rounded and packed."""
_SQUARES = 2
"""More of the widest input's figures, while they are divided by the factors."""
_TEXT_TOKENS = 512
"""A usual sample beside its picture; longer ones take more, by their states alone."""
_KEPT_STATES = 3
"""Of each sample: what a layer is given, what it makes, and what was seen of the picture."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes: of the device that computes, of RAM beside a GPU, and of the disk for the result."""

    device_bytes: int
    beside_gpu_bytes: int
    result_bytes: int

    @property
    def cpu_bytes(self) -> int:
        """RAM where the CPU computes."""
        return self.device_bytes - _CUDA_BYTES + self.beside_gpu_bytes


def needs(sizes: ModelSizes, samples: int, picture_tokens: int) -> Needs:
    """What quantising takes.

    Args:
        sizes: the model's, in 16 bits.
        samples: conversations held at once.
        picture_tokens: of a picture, at most.
    """
    language = sizes.language
    tokens = picture_tokens + _TEXT_TOKENS
    states = samples * tokens * language.hidden * _FLOAT * _KEPT_STATES
    # embedding and head are no part of a layer
    layer = (sizes.language_bytes - 2 * language.table_bytes) // 2 // language.layers * _FLOAT
    query = language.heads * language.head_dim
    squares = (2 * language.hidden**2 + query**2 + language.intermediate**2) * _FLOAT
    search = language.intermediate * max(_COPIES * language.hidden, _SQUARES * language.intermediate) * _FLOAT
    at_work = tokens * (4 * language.intermediate + 8 * language.hidden) * _FLOAT
    table = 2 * language.table_bytes
    tower = 2 * (sizes.vision_bytes + sizes.projector_bytes) + at_work
    most = max(layer + squares + search, layer + squares + at_work, table + at_work, tower)
    return Needs(most + _CUDA_BYTES, _PROCESS_BYTES + states, in_four_bits(sizes).weight_bytes)
