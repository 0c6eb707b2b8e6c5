"""Tiles and pixels against a straightforward reading of InternVL's algorithm."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from launcher.families.common.internvl import MEAN, STD
from launcher.families.common.tile_grid import TileRule, choose_grid, count_tiles
from launcher.models.tiles import cut_tiles, to_pixels

RULE = TileRule(size_px=448, min_tiles=1, max_tiles=12, thumbnail=True)
sides = st.integers(1, 5000)


def nearest_grids(width: int, height: int, rule: TileRule) -> set[tuple[int, int]]:
    """All grids whose aspect ratio is nearest to the picture's."""
    grids = [
        (columns, rows)
        for columns in range(1, rule.max_tiles + 1)
        for rows in range(1, rule.max_tiles + 1)
        if rule.min_tiles <= columns * rows <= rule.max_tiles
    ]
    nearest = min(abs(width / height - columns / rows) for columns, rows in grids)
    return {(columns, rows) for columns, rows in grids if abs(width / height - columns / rows) == nearest}


@given(width=sides, height=sides, max_tiles=st.integers(1, 24))
@example(width=900, height=600, max_tiles=12)
@example(width=448, height=448, max_tiles=12)
@example(width=4000, height=4000, max_tiles=12)
def test_the_grid_is_the_nearest_and_large_only_for_a_large_picture(
    width: int, height: int, max_tiles: int
) -> None:
    rule = TileRule(448, 1, max_tiles, True)
    columns, rows = choose_grid(width, height, rule)
    nearest = nearest_grids(width, height, rule)
    assert (columns, rows) in nearest
    smallest = min(c * r for c, r in nearest)
    assume(
        len({c * r for c, r in nearest}) == len(nearest)
    )  # no two of one size, whose order is the next test's matter
    fitting = [c * r for c, r in nearest if width * height > 0.5 * 448**2 * c * r]
    assert columns * rows == max([smallest, *fitting])


def test_equal_grids_of_equal_size_are_tried_in_the_published_order() -> None:
    # Found by running the published code: both grids are equally near; the picture is too small for the
    # second to win.
    assert (
        choose_grid(1250, 1000, TileRule(448, 2, 2, True))
        == choose_grid(125, 100, TileRule(448, 2, 2, True))[::-1]
    )


@pytest.mark.parametrize(
    ("size", "grid", "tiles"),
    [
        ((448, 448), (1, 1), 1),
        ((900, 600), (3, 2), 7),
        ((100, 1000), (1, 10), 11),
        ((4000, 3000), (4, 3), 13),
        ((1, 1), (1, 1), 1),
    ],
)
def test_known_pictures(size: tuple[int, int], grid: tuple[int, int], tiles: int) -> None:
    assert choose_grid(*size, RULE) == grid
    assert count_tiles(*size, RULE) == tiles


def gradient(width: int, height: int) -> Image.Image:
    red, green = (
        Image.linear_gradient("L").resize((width, height)),
        Image.radial_gradient("L").resize((width, height)),
    )
    return Image.merge("RGB", (red, green, red.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    max_tiles=st.integers(1, 8),
    thumbnail=st.booleans(),
)
def test_the_tiles_put_together_are_the_resized_picture(
    width: int, height: int, max_tiles: int, thumbnail: bool
) -> None:
    rule, picture = TileRule(28, 1, max_tiles, thumbnail), gradient(width, height)
    tiles = cut_tiles(picture, rule)
    columns, rows = choose_grid(width, height, rule)
    assert len(tiles) == count_tiles(width, height, rule) <= max_tiles + 1
    whole = Image.new("RGB", (columns * 28, rows * 28))
    for n, tile in enumerate(tiles[: columns * rows]):
        whole.paste(tile, (n % columns * 28, n // columns * 28))
    assert whole.tobytes() == picture.resize((columns * 28, rows * 28), Image.Resampling.BICUBIC).tobytes()
    if thumbnail and columns * rows > 1:
        assert tiles[-1].tobytes() == picture.resize((28, 28), Image.Resampling.BICUBIC).tobytes()


def test_pixels_are_normalised_channel_by_channel() -> None:
    tile = gradient(28, 28)
    pixels = to_pixels([tile, tile.rotate(90)])
    assert pixels.shape == (2, 3, 28, 28)
    assert pixels.dtype is torch.float32
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    for x, y in ((0, 0), (27, 0), (5, 19)):
        colour = tile.getpixel((x, y))
        assert isinstance(colour, tuple)
        expected = [(value / 255 - m) / s for value, m, s in zip(colour, mean, std, strict=True)]
        assert pixels[0, :, y, x].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_grey_picture_is_read_as_rgb() -> None:
    assert to_pixels(cut_tiles(Image.new("L", (30, 30), 128), TileRule(28, 1, 1, True))).shape == (
        1,
        3,
        28,
        28,
    )


@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 900), height=st.integers(1, 900), max_tiles=st.sampled_from([1, 4, 12]))
@example(width=900, height=600, max_tiles=12)
@example(width=125, height=100, max_tiles=2)
def test_tiles_are_those_that_transformers_processor_of_internvl_cuts(
    width: int, height: int, max_tiles: int
) -> None:
    rule = TileRule(448, 1, max_tiles, True)
    picture = Image.effect_noise((width, height), 80).convert("RGB")
    theirs = GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448}, image_mean=list(MEAN), image_std=list(STD), max_patches=max_tiles
    )(images=[picture], crop_to_patches=True, return_tensors="pt")
    assert theirs["num_patches"].tolist() == [count_tiles(width, height, rule)]
    ours = to_pixels(cut_tiles(picture, rule))
    torch.testing.assert_close(ours, theirs["pixel_values"], rtol=0, atol=1e-5)
