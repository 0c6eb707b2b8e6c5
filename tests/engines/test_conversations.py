"""What is gone on from: the longest beginning that was read before, unchanged, within the bound."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import DynamicCache
from transformers.models.qwen3_5.configuration_qwen3_5 import Qwen3_5TextConfig

from launcher.engines.conversations import Conversations, Mark

LAYERS = 2
TOKEN_BYTES = LAYERS * 2 * 3 * 4
"""Of the caches below: keys and values of one head of three numbers."""

PICTURE_TOKENS = 3
ONE, OTHER = b"one picture", b"another"
places = st.sampled_from([1, 2, 3, ONE, OTHER])


def conversation(places: Sequence[Mark]) -> list[Mark]:
    """A prompt as prompts are: it begins and ends with text."""
    marks: list[Mark] = [0]
    for place in places:
        marks += [place] * (PICTURE_TOKENS if isinstance(place, bytes) else 1)
    return [*marks, 9]


conversations = st.lists(st.lists(places, max_size=6).map(conversation), max_size=6)


def read(marks: Sequence[Mark], cache: DynamicCache, count: int) -> None:
    """Reads the marks that the cache does not hold yet: a token's keys tell it and all before it."""
    for layer in range(LAYERS):
        told = [float(hash((layer, tuple(marks[: n + 1]))) % 1000) for n in range(count, len(marks))]
        states = torch.tensor(told).view(1, 1, -1, 1).expand(1, 1, -1, 3).contiguous()
        cache.update(states, states + 0.5, layer)


def layers(cache: DynamicCache) -> list[torch.Tensor]:
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


def freshly_read(marks: Sequence[Mark]) -> list[torch.Tensor]:
    cache = DynamicCache()
    read(marks, cache, 0)
    return layers(cache)


@given(talks=conversations, max_bytes=st.sampled_from([0, 12 * TOKEN_BYTES, 1 << 20]))
def test_going_on_is_the_same_as_reading_everything_anew(talks: list[list[Mark]], max_bytes: int) -> None:
    kept = Conversations(max_bytes)
    for marks in talks:
        cache, count = kept.recall(marks)
        assert count < len(marks)
        assert cache.get_seq_length() == count
        read(marks, cache, count)
        assert all(map(torch.equal, layers(cache), freshly_read(marks)))
        kept.keep(marks, cache)
        assert kept.held_bytes <= max_bytes


@given(talks=conversations)
def test_a_picture_is_known_as_a_whole_or_not_at_all(talks: list[list[Mark]]) -> None:
    kept = Conversations()
    for marks in talks:
        cache, count = kept.recall(marks)
        run = [n for n, mark in enumerate(marks) if isinstance(mark, bytes) and n < count]
        assert len(run) % PICTURE_TOKENS == 0
        read(marks, cache, count)
        kept.keep(marks, cache)


def test_the_longest_beginning_is_gone_on_from_and_nobody_changes_it_for_another() -> None:
    kept = Conversations()
    first, second = [0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 8]
    for marks in (first, second):
        cache, _ = kept.recall(marks)
        read(marks, cache, cache.get_seq_length())
        kept.keep(marks, cache)
    mine, count = kept.recall([*first, 10, 11])
    theirs, same = kept.recall([*first, 20, 21])
    assert count == same == len(first)
    read([*first, 10, 11], mine, count)
    read([*first, 20, 21], theirs, count)
    assert all(map(torch.equal, layers(mine), freshly_read([*first, 10, 11])))
    assert all(map(torch.equal, layers(theirs), freshly_read([*first, 20, 21])))
    assert kept.recall([*second, 10])[1] == len(second)


def test_a_long_talk_takes_the_room_of_one_conversation() -> None:
    kept, marks = Conversations(), list[Mark](range(40))
    for turn in range(10):
        cache, count = kept.recall(marks)
        read(marks, cache, count)
        kept.keep(marks, cache)
        assert kept.held_bytes == len(marks) * TOKEN_BYTES
        marks += range(100 * turn, 100 * turn + 20)


def test_of_an_answer_only_what_was_read_is_kept() -> None:
    """The last token of an answer is drawn and never read."""
    kept, cache = Conversations(), DynamicCache()
    read([0, 1, 2], cache, 0)
    kept.keep([0, 1, 2, 3], cache)
    assert kept.recall([0, 1, 2, 3, 4])[1] == 3
    kept.clear()
    assert kept.recall([0, 1, 2, 3, 4])[1] == 0


def with_a_state() -> DynamicCache:
    """Of a model whose first layer is linear."""
    kinds = ["linear_attention", "full_attention"]
    return DynamicCache(config=Qwen3_5TextConfig(num_hidden_layers=2, layer_types=kinds))


def state(cache: DynamicCache) -> list[torch.Tensor]:
    return [cache.layers[0].conv_states[0], cache.layers[0].recurrent_states[0]]


def test_what_has_a_state_is_gone_on_from_as_a_whole_or_not_at_all() -> None:
    kept, marks, cache = Conversations(new_cache=with_a_state), list[Mark](range(6)), with_a_state()
    cache.update_conv_state(torch.full((1, 2, 4), 1.5), 0)
    cache.update_recurrent_state(torch.full((1, 2, 3, 3), 2.5), 0)
    cache.update(torch.ones(1, 1, 6, 3), torch.ones(1, 1, 6, 3), 1)
    wanted = [each.clone() for each in state(cache)]
    kept.keep(marks, cache)
    assert kept.held_bytes == 4 * (8 + 18 + 2 * 18)
    for others in ([*marks[:5], 9, 10], marks):  # a part of it alone; all of it, with nothing left to read
        assert (kept.recall(others)[1], kept.recall(others)[0].get_seq_length()) == (0, 0)
    for _ in range(2):  # who goes on changes a copy
        found, count = kept.recall([*marks, 7])
        assert count == found.get_seq_length() == 6
        assert all(map(torch.equal, state(found), wanted))
        found.update_conv_state(torch.zeros(1, 2, 1), 0)
        found.update_recurrent_state(torch.zeros(1, 2, 3, 3), 0)
