"""Qwen-VL's pixels and places against transformers' own arithmetic."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoConfig, Qwen3VLModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

from launcher import families
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.pixel_rule import PixelRule, scaled
from launcher.models.loading import Span
from launcher.models.mrope import positions
from launcher.models.qwen_vl_pixels import patch_grid, to_patches, to_pixels

CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
QWEN2, QWEN3 = PixelRule(14, 2, 4, 16384, *CLIP), PixelRule(16, 2, 64, 16384, *HALF)
rules = pytest.mark.parametrize("rule", [QWEN2, QWEN3], ids=["qwen2", "qwen3"])
sides = st.integers(1, 6000)


def processor(rule: PixelRule) -> Qwen2VLImageProcessorPil:
    square = rule.step_px**2
    return Qwen2VLImageProcessorPil(
        patch_size=rule.patch_px,
        size={"shortest_edge": rule.least * square, "longest_edge": rule.most * square},
        image_mean=list(rule.mean),
        image_std=list(rule.std),
    )


@rules
@given(width=sides, height=sides, most=st.integers(256, 16384))
@example(width=6000, height=30, most=16384)
@example(width=16, height=16, most=16384)
def test_a_picture_is_scaled_as_transformers_does(
    rule: PixelRule, width: int, height: int, most: int
) -> None:
    """For the shapes and limits that it takes."""
    limited = PixelBudget(rule).limited(most).rule
    if max(width, height) > 200 * min(width, height):
        return
    square = rule.step_px**2
    assert scaled(width, height, limited)[::-1] == smart_resize(
        height, width, rule.step_px, limited.least * square, limited.most * square
    )


@rules
@settings(max_examples=30, deadline=None)
@given(width=st.integers(1, 700), height=st.integers(1, 700), seed=st.integers(0, 99))
@example(width=448, height=448, seed=0)
def test_patches_are_transformers_own(rule: PixelRule, width: int, height: int, seed: int) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    expected = processor(rule)(images=[picture], return_tensors="pt")
    pixels = to_pixels(picture, rule)
    assert patch_grid(pixels, rule).tolist() == expected["image_grid_thw"].tolist()
    torch.testing.assert_close(to_patches(pixels, rule), expected["pixel_values"], rtol=0, atol=1e-6)
    rows, columns = PixelBudget(rule).grid(width, height)
    assert 4 * rows * columns == len(expected["pixel_values"])


def test_a_line_is_squeezed_and_a_grey_picture_has_three_colours() -> None:
    """transformers refuses the one; the page takes both."""
    pixels = to_pixels(Image.new("L", (4000, 2), 128), QWEN3)
    assert pixels.shape[1] == 3
    assert PixelBudget(QWEN3).grid(4000, 2) == PixelBudget(QWEN3).grid(400, 2)


def test_what_is_published_is_what_families_prepare() -> None:
    budget = families.model_sizes(families.KNOWN_CONFIGS["Qwen/Qwen3-VL-2B-Instruct"]).pictures
    assert budget == PixelBudget(QWEN3)


spans = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(pictures=spans, rest=st.integers(1, 6), data=st.data())
def test_places_are_transformers_own_however_much_is_read_at_once(
    pictures: list[tuple[int, int, int]], rest: int, data: st.DataObject
) -> None:
    """Each picture's text before it, its rows and columns; from any token on."""
    kinds, found = list[int](), list[Span]()
    for text, rows, columns in pictures:
        kinds += [0] * (text + 1)  # two pictures never touch: marks stand around each
        found.append(Span(len(kinds), (rows, columns)))
        kinds += [1] * rows * columns
    kinds += [0] * rest
    grids = torch.tensor([[1, 2 * rows, 2 * columns] for _, rows, columns in pictures])
    expected, _ = _model().get_rope_index(
        torch.zeros(1, len(kinds), dtype=torch.long), torch.tensor([kinds]), grids
    )
    first = data.draw(st.integers(0, len(kinds) - 1))
    count = data.draw(st.integers(1, len(kinds) - first))
    assert positions(found, first, count).equal(expected[..., first : first + count])
    assert positions(found, 0, len(kinds)).equal(expected)


@cache
def _model() -> Qwen3VLModel:
    """Its numbers do not matter."""
    small = {"hidden_size": 64, "num_hidden_layers": 1, "vocab_size": 8, "intermediate_size": 8}
    with torch.device("meta"):
        return Qwen3VLModel(AutoConfig.for_model("qwen3_vl", text_config=small, vision_config={"depth": 1}))


def test_text_alone_is_counted() -> None:
    assert positions([], 3, 2).tolist() == [[[3, 4]]] * 3


def test_a_picture_file_is_read_once_as_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "red.png")
    with Image.open(tmp_path / "red.png") as picture:
        pixels = to_pixels(picture, QWEN3)
    assert pixels.shape == (1, 3, 256, 256)
    assert pixels[0, :, 7, 9].tolist() == [1.0, -1.0, -1.0]
