"""Conversations that the transformers engine has read: a follow-up, a retry or another question about the
same picture goes on from what they have in common.

A conversation is kept as its cache with a mark for each of its tokens. Kept tensors are never changed: who
goes on from them gets a copy, so that two people may go on from the same beginning at once. Keys and values
are cut to what is in common; the state of a linear layer tells all that was read in one, so a model with such
layers goes on from a whole kept conversation or from nothing. Used from the model's thread alone, but for
`Conversations.clear`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from launcher.engine_costs import KEPT_CONVERSATION_BYTES
from launcher.engines.kept import Kept

SAME = 0.9
"""A conversation that shares this much of itself with a newer one is replaced by it: hardly anything is lost,
and a long talk takes the room of one conversation rather than of one for each of its turns."""

Mark = Hashable
"""What stands at one place of a conversation: a token's id, or the content key of the picture that the token
is of."""
Layer: TypeAlias = "tuple[Tensor, Tensor] | LinearAttentionCacheLayerMixin"
"""Keys and values, each [1, heads, tokens, size]; or a linear layer's state."""


def can_be_cut(cache: DynamicCache) -> bool:
    """Whether a beginning of what was read can be had of it."""
    return not any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in cache.layers)


@dataclass(frozen=True, slots=True)
class _Read:
    """A conversation as it was read."""

    marks: tuple[Mark, ...]
    layers: tuple[Layer, ...]
    can_be_cut: bool

    def common(self, marks: Sequence[Mark]) -> int:
        """How many of the marks can be gone on from: never the last one, and pictures as a whole."""
        shared = _whole_pictures(marks, min(_shared(self.marks, marks), len(marks) - 1))
        return shared if self.can_be_cut or shared == len(self.marks) else 0


class Conversations:
    """The conversations read last.

    Args:
        max_bytes: what all may take together.
        new_cache: makes an empty cache of the model's.
    """

    def __init__(
        self,
        max_bytes: int = KEPT_CONVERSATION_BYTES,
        new_cache: Callable[[], DynamicCache] = DynamicCache,
    ) -> None:
        self._kept = Kept[_Read](max_bytes)
        self._new_cache = new_cache
        self._numbers = itertools.count()

    def recall(self, marks: Sequence[Mark]) -> tuple[DynamicCache, int]:
        """A cache of the conversation's beginning, as far as it was read before, and how many tokens that is.

        The last token is always left to be read, as it tells what comes next. A picture is known as a whole
        or not at all: its tokens have one mark, and pictures of one mark have as many.
        """
        cache, longest, source = self._new_cache(), 0, None
        for key, read in self._kept.items():
            if (shared := read.common(marks)) > longest:
                longest, source = shared, key
        beginning = None if source is None else self._kept.get(source)
        if beginning is None:
            return cache, 0
        for number, layer in enumerate(beginning.layers):
            if isinstance(layer, tuple):
                keys, values = layer
                cache.update(keys[..., :longest, :], values[..., :longest, :], number)
            else:
                cache.layers[number] = deepcopy(layer)
        return cache, longest

    def keep(self, marks: Sequence[Mark], cache: DynamicCache) -> None:
        """Keeps what was read, of ``marks`` as many as the cache holds, in place of earlier parts of the same
        conversation. The cache must not be used any more."""
        layers = tuple(_kept(layer) for layer in cache.layers)
        read = _Read(tuple(marks[: cache.get_seq_length()]), layers, can_be_cut(cache))
        for key, earlier in self._kept.items():
            if _shared(earlier.marks, read.marks) >= SAME * len(earlier.marks):
                self._kept.drop(key)
        size_bytes = sum(tensor.nbytes for layer in layers for tensor in _tensors(layer))
        self._kept.put(next(self._numbers), read, size_bytes)

    def clear(self) -> None:
        """Gives all memory back."""
        self._kept.clear()

    @property
    def held_bytes(self) -> int:
        """Of what is kept."""
        return self._kept.held_bytes


def _kept(layer: object) -> Layer:
    if isinstance(layer, LinearAttentionCacheLayerMixin):
        return layer
    return layer.keys, layer.values  # type: ignore[attr-defined]  # all others have both


def _tensors(layer: Layer) -> Iterator[Tensor]:
    if isinstance(layer, tuple):
        yield from layer
        return
    for states in (layer.conv_states, layer.recurrent_states):
        yield from (each for each in states.values() if each is not None)


def _shared(one: Sequence[Mark], other: Sequence[Mark]) -> int:
    """How many marks they begin with in common."""
    pairs = zip(one, other, strict=False)
    differing = (n for n, (mine, theirs) in enumerate(pairs) if mine != theirs)
    return next(differing, min(len(one), len(other)))


def _whole_pictures(marks: Sequence[Mark], count: int) -> int:
    """So many marks, less those of a picture that goes on behind them."""
    while count and isinstance(marks[count], bytes) and marks[count - 1] == marks[count]:
        count -= 1
    return count
