"""Picture budgets: what the plan is promised, whatever picture comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher import families
from launcher.families import PictureBudget
from launcher.families.common.pictures import TileBudget, WholeBudget
from launcher.families.common.tile_grid import TileRule
from tests.models.tiny import picture_fields

TILES = TileBudget(TileRule(28, 1, 12, thumbnail=True), tokens_per_tile=4, patches_per_tile=16)
WHOLE = WholeBudget(490, picture_tokens=1225, patches=1225)
sides = st.integers(1, 5000)


@pytest.mark.parametrize("budget", [TILES, WHOLE], ids=["tiles", "whole"])
@given(width=sides, height=sides, limit=st.integers(1, 24))
def test_no_picture_takes_more_than_the_largest(
    budget: PictureBudget, width: int, height: int, limit: int
) -> None:
    limited = budget.limited(limit)
    assert 0 < limited.tokens(width, height) <= limited.most_tokens


@pytest.mark.parametrize("limit", range(1, 25))
def test_the_largest_picture_takes_all_that_is_promised(limit: int) -> None:
    for budget in (TILES.limited(limit), WHOLE):
        assert budget.tokens(*budget.largest_px) == budget.most_tokens


def test_lowering_ends_at_the_smallest() -> None:
    budget: PictureBudget | None = TILES
    seen = []
    while budget is not None:
        seen.append((budget.limit, budget.most_tokens, budget.most_patches, budget.engine_options))
        budget = budget.lowered()
    assert [limit for limit, *_ in seen] == list(range(12, 0, -1))
    assert seen[0] == (12, 52, 208, {"max_dynamic_patch": 12})
    assert seen[-1] == (1, 4, 16, {"max_dynamic_patch": 1})  # one tile has no thumbnail
    assert WHOLE.lowered() is None
    assert WHOLE.limited(1) is WHOLE


def test_the_rule_comes_from_the_checkpoint_and_the_preset_may_limit_it() -> None:
    budget = families.model_sizes(picture_fields(min_dynamic_patch=2)).pictures
    assert isinstance(budget, TileBudget)
    assert budget.rule == TileRule(28, 2, 12, True)
    assert budget.limited(6).rule == TileRule(28, 2, 6, True)
    assert budget.limited(1).rule == TileRule(28, 1, 1, True)
    assert budget.limited(1).tokens(4000, 1000) == budget.tokens_per_tile


def test_one_that_does_not_cut_takes_one_tile() -> None:
    budget = families.model_sizes(picture_fields(dynamic_image_size=False)).pictures
    assert isinstance(budget, TileBudget)
    assert (budget.limit, budget.shown) == (1, "1 tile")
