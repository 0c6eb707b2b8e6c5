"""Conversations that the transformers engine has read: a follow-up, a retry or another question about the
same picture goes on from what they have in common.

A conversation is kept as its KV cache with a mark for each of its tokens. Kept tensors are never changed: who
goes on from them gets a copy, so that two people may go on from the same beginning at once. Used from the
model's thread alone, but for `Conversations.clear`.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import DynamicCache

from launcher.engine_costs import KEPT_CONVERSATION_BYTES
from launcher.engines.kept import Kept

SAME = 0.9
"""A conversation that shares this much of itself with a newer one is replaced by it: hardly anything is lost,
and a long talk takes the room of one conversation rather than of one for each of its turns."""

Mark = Hashable
"""What stands at one place of a conversation: a token's id, or the content key of the picture that the token
is of."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A conversation as it was read: ``layers`` are keys and values, each [1, heads, tokens, size]."""

    marks: tuple[Mark, ...]
    layers: tuple[tuple[Tensor, Tensor], ...]


class Conversations:
    """The conversations read last, within ``max_bytes``."""

    def __init__(self, max_bytes: int = KEPT_CONVERSATION_BYTES) -> None:
        self._kept = Kept[_Read](max_bytes)
        self._numbers = itertools.count()

    def recall(self, marks: Sequence[Mark]) -> tuple[DynamicCache, int]:
        """A cache of the conversation's beginning, as far as it was read before, and how many tokens that is.

        The last token is always left to be read, as it tells what comes next. A picture is known as a whole
        or not at all: its tokens have one mark, and pictures of one mark have as many.
        """
        cache, longest, source = DynamicCache(), 0, None
        for key, read in self._kept.items():
            if (shared := min(_shared(read.marks, marks), len(marks) - 1)) > longest:
                longest, source = shared, key
        beginning = None if source is None else self._kept.get(source)
        longest = _whole_pictures(marks, longest)
        if beginning is not None and longest:
            for number, (keys, values) in enumerate(beginning.layers):
                cache.update(keys[..., :longest, :], values[..., :longest, :], number)
        return cache, longest

    def keep(self, marks: Sequence[Mark], cache: DynamicCache) -> None:
        """Keeps what was read, of ``marks`` as many as the cache holds, in place of earlier parts of the same
        conversation. The cache must not be used any more."""
        layers = tuple((layer.keys, layer.values) for layer in cache.layers)
        read = _Read(tuple(marks[: cache.get_seq_length()]), layers)
        for key, earlier in self._kept.items():
            if _shared(earlier.marks, read.marks) >= SAME * len(earlier.marks):
                self._kept.drop(key)
        size_bytes = sum(tensor.nbytes for pair in layers for tensor in pair)
        self._kept.put(next(self._numbers), read, size_bytes)

    def clear(self) -> None:
        """Gives all memory back."""
        self._kept.clear()

    @property
    def held_bytes(self) -> int:
        """Of KV cache."""
        return self._kept.held_bytes


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
