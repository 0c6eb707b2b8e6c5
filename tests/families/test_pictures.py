"""Picture budgets: what the plan is promised, whatever picture comes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher import families
from launcher.errors import PresetError
from launcher.families import PictureBudget
from launcher.families.common.pictures import TileBudget, WholeBudget
from launcher.families.common.pixel_budget import SMALLEST, PixelBudget
from launcher.families.common.pixel_rule import PixelRule
from launcher.families.common.tile_grid import TileRule
from tests.models.tiny import picture_fields

TILES = TileBudget(TileRule(28, 1, 12, thumbnail=True), tokens_per_tile=4, patches_per_tile=16)
WHOLE = WholeBudget(490, picture_tokens=1225, patches=1225)
PIXELS = PixelBudget(PixelRule(16, 2, 64, 16384, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
sides = st.integers(1, 5000)
limits = st.one_of(st.integers(1, 24), st.integers(64, 400), st.integers(400, 20000))


@pytest.mark.parametrize("budget", [TILES, WHOLE, PIXELS], ids=["tiles", "whole", "pixels"])
@given(width=sides, height=sides, limit=limits)
def test_no_picture_takes_more_than_the_largest(
    budget: PictureBudget, width: int, height: int, limit: int
) -> None:
    limited = budget.limited(min(limit, 24) if budget.unit == "tiles" else limit)
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


@pytest.mark.parametrize("limit", [*range(64, 1400, 16), 12544, 16384])
def test_the_largest_picture_of_pixels_takes_all_that_is_promised(limit: int) -> None:
    budget = PIXELS.limited(limit)
    assert budget.tokens(*budget.largest_px) == budget.most_tokens == budget.limit == limit
    assert budget.most_patches == 4 * limit


def test_pixels_are_lowered_by_an_eighth_to_the_smallest_that_is_worth_asking_about() -> None:
    budget: PixelBudget | None = PIXELS
    seen = []
    while budget is not None:
        seen.append(budget.limit)
        budget = budget.lowered()
    assert seen[:2] == [16384, 14336]
    assert seen[-1] == SMALLEST
    assert all(0.6 <= lower / higher < 1 for higher, lower in pairwise(seen))
    assert PIXELS.limited(1024).shown == "1.05 megapixels"


@pytest.mark.parametrize(
    ("budget", "tiles", "tokens", "limit"),
    [
        (TILES, None, None, 12),
        (TILES, 6, None, 6),
        (TILES, None, 27, 5),
        (TILES, None, 28, 6),  # and its thumbnail
        (TILES, 3, 28, 3),
        (TILES, None, 11, 1),
        (TILES, None, 10**6, 12),
        (WHOLE, 3, 1225, 1),
        (PIXELS, None, None, 16384),
        (PIXELS, None, 1030, 1024),
        (PIXELS, None, 10**6, 16384),
    ],
)
def test_a_preset_asks_for_tiles_or_tokens(
    budget: PictureBudget, tiles: int | None, tokens: int | None, limit: int
) -> None:
    wished = budget.wished(tiles, tokens)
    assert wished.limit == limit
    assert tokens is None or wished.most_tokens <= tokens


@pytest.mark.parametrize(
    ("budget", "tiles", "tokens", "words", "hint"),
    [
        (TILES, None, 3, "is 3, but the smallest picture of this model takes 4", "Write 4 or more"),
        (WHOLE, None, 1024, "every picture of this model takes 1225 tokens", "Write 1225 or auto."),
        (WHOLE, None, 2048, "every picture of this model takes 1225 tokens", "Write 1225 or auto."),
        (PIXELS, 4, None, "memory.max_tiles is 4, but this model does not cut", "max_picture_tokens"),
        (PIXELS, None, 63, "the smallest picture of this model takes 64", "Write 64 or more"),
    ],
)
def test_what_a_model_cannot_do_is_refused(
    budget: PictureBudget, tiles: int | None, tokens: int | None, words: str, hint: str
) -> None:
    with pytest.raises(PresetError) as caught:
        budget.wished(tiles, tokens)
    assert words in caught.value.message
    assert hint in caught.value.hint
