"""Sizes of a model whose layers are of two kinds: which are linear, and what a config.json may not say."""

from __future__ import annotations

from typing import Any

import pytest

from launcher import families
from launcher.errors import CheckpointError

PUBLISHED = families.KNOWN_CONFIGS["Qwen/Qwen3.5-2B"]
KINDS = [*["linear_attention"] * 3, "full_attention"]


def config(tower: dict[str, Any] | None = None, **text: Any) -> dict[str, Any]:
    return {
        **PUBLISHED,
        "text_config": {**PUBLISHED["text_config"], **text},
        "vision_config": {**PUBLISHED["vision_config"], **(tower or {})},
    }


def test_linear_layers_are_listed_or_follow_from_their_interval() -> None:
    by_interval = families.model_sizes(PUBLISHED)
    assert (by_interval.language.layers, by_interval.language.linear_layers) == (24, 18)
    assert families.model_sizes(config(layer_types=KINDS * 6)) == by_interval
    fewer = families.model_sizes(config(full_attention_interval=2))
    assert fewer.language.linear_layers == 12
    assert fewer.state_bytes * 3 == by_interval.state_bytes * 2
    assert fewer.kv_token_bytes(16) == 2 * by_interval.kv_token_bytes(16)


@pytest.mark.parametrize("kinds", [KINDS, "linear_attention", ["sliding_attention"] * 24, [None] * 24])
def test_a_wrong_list_is_a_broken_checkpoint(kinds: object) -> None:
    with pytest.raises(CheckpointError, match=r"text_config\.layer_types is .*, not one of full_attention"):
        families.model_sizes(config(layer_types=kinds))


def test_a_tower_that_is_looked_into_is_another_model_s() -> None:
    assert families.model_sizes(config({"deepstack_visual_indexes": []})) == families.model_sizes(PUBLISHED)
    with pytest.raises(
        CheckpointError, match=r"deepstack_visual_indexes is \[5, 11\]; a Qwen3.5 looks into no"
    ):
        families.model_sizes(config({"deepstack_visual_indexes": [5, 11]}))


def test_biases_and_a_head_of_its_own_count() -> None:
    plain = families.model_sizes(PUBLISHED)
    biased = families.model_sizes(config(attention_bias=True))
    untied = families.model_sizes({**config(), "tie_word_embeddings": False})
    assert biased.language_bytes - plain.language_bytes == 2 * 6 * (2 * 2048 + 2 * 512 + 2048)
    assert untied.language_bytes - plain.language_bytes == plain.language.table_bytes
