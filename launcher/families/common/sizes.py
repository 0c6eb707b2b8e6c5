"""A model's shape, and the bytes of its parts as a GPU engine keeps them. What fits is
``launcher.memory``'s question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from launcher.families.common.pictures import PictureBudget

ELEMENT_BYTES = 2
"""bf16 and fp16; the engines keep everything but AWQ's linear layers in one of them."""

TensorPart = Literal["language", "vision", "projector"]


@dataclass(frozen=True, slots=True)
class LanguageSizes:
    """The language model's shape. ``plora_rank`` is 0 where there is no partial LoRA, ``weight_bits`` 4 for
    AWQ, else 16; ``tied``: the head is the embedding table once more. ``linear_layers`` of the layers keep no
    keys and values but a state, as large for a long conversation as for a short one: ``state_elements``
    numbers in all of these layers together."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_positions: int
    weight_bits: int = 16
    plora_rank: int = 0
    tied: bool = False
    linear_layers: int = 0
    state_elements: int = 0

    @property
    def input_widths(self) -> tuple[int, int, int]:
        """How many numbers the linear layers of a decoder layer read: those of the hidden states, of the
        attention's output, of the feed-forward's middle."""
        return self.hidden, self.heads * self.head_dim, self.intermediate

    @property
    def table_bytes(self) -> int:
        """Of the embedding table, and of a head: both stay in 16 bits."""
        return self.vocab * self.hidden * ELEMENT_BYTES


@dataclass(frozen=True, slots=True)
class TowerSizes:
    """The picture tower's shape. ``padding_bytes``: what an engine adds that fills up its heads."""

    layers: int
    hidden: int
    intermediate: int
    padding_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """A checkpoint's shape and the bytes of its three parts as a GPU engine keeps them; a tied head, which
    not every engine keeps, is none of them. ``tower`` and ``pictures`` are None for a text model.
    ``number_bytes``: of one number of the embedding table as the files hold it."""

    architecture: str
    dtype: str
    language: LanguageSizes
    language_bytes: int
    tower: TowerSizes | None = None
    pictures: PictureBudget | None = None
    vision_bytes: int = 0
    projector_bytes: int = 0
    number_bytes: int = ELEMENT_BYTES

    @property
    def read_table_bytes(self) -> int:
        """Of the embedding table as it is read, before an engine makes 16 bits of it."""
        return self.language.table_bytes // ELEMENT_BYTES * self.number_bytes

    @property
    def four_bit_bytes(self) -> int:
        """Bytes of the linear layers in 4 bits; 0 where there are none. Embeddings and head have 16."""
        if self.language.weight_bits != 4:
            return 0
        tables = 1 if self.language.tied else 2
        return self.language_bytes - tables * self.language.table_bytes

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights."""
        return self.language_bytes + self.vision_bytes + self.projector_bytes

    def kv_token_bytes(self, kv_bits: int) -> int:
        """Bytes of keys and values of one token: 8 and 4 bits carry a 16-bit scale and zero point for each
        head's vector."""
        vector_bytes = self.language.head_dim * kv_bits // 8 + (0 if kv_bits == 16 else 2 * ELEMENT_BYTES)
        layers = self.language.layers - self.language.linear_layers
        return 2 * layers * self.language.kv_heads * vector_bytes

    @property
    def state_bytes(self) -> int:
        """Bytes of one conversation's states in linear layers; 0 where there are no such layers."""
        return self.language.state_elements * ELEMENT_BYTES
