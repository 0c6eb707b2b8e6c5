"""The rules of the Shapes world hold for every seed, and the picture drawn is the scene described."""

from __future__ import annotations

import io
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from launcher.demo.pictures import (
    COLOURS,
    GAP_SHARE,
    MIN_CONTRAST,
    Scene,
    as_opened,
    contrast,
    draw_scene,
    encode,
    render,
)

seeds = st.integers(min_value=0, max_value=2**48)


@settings(max_examples=2000, deadline=None)
@given(seeds)
def test_every_scene_keeps_the_rules(seed: int) -> None:
    scene = draw_scene(seed)
    assert 128 <= scene.width_px <= 1024
    assert 128 <= scene.height_px <= 1024
    assert 0.5 <= scene.width_px / scene.height_px <= 2
    assert 1 <= len(scene.shapes) <= 4
    for number, shape in enumerate(scene.shapes):
        assert 0.12 - 1e-9 <= shape.width_px / scene.short_side_px <= 0.35 + 1e-9
        assert shape.left >= 0
        assert shape.top >= 0
        assert shape.left + shape.width_px <= scene.width_px
        assert shape.top + shape.height_px <= scene.height_px
        assert contrast(shape.rgb, scene.background) >= MIN_CONTRAST
        for other in scene.shapes[number + 1 :]:
            assert _apart(shape.left, shape.width_px, other.left, other.width_px, scene) or _apart(
                shape.top, shape.height_px, other.top, other.height_px, scene
            )


def _apart(start: float, size: float, other_start: float, other_size: float, scene: Scene) -> bool:
    gap = GAP_SHARE * scene.short_side_px - 1e-6
    return start + size + gap <= other_start or other_start + other_size + gap <= start


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_corners_fill_the_box_and_turn_no_further_than_allowed(seed: int) -> None:
    for shape in draw_scene(seed).shapes:
        if shape.kind == "circle":
            assert shape.corners == ()
            assert shape.width_px == shape.height_px
            continue
        xs, ys = [x for x, _ in shape.corners], [y for _, y in shape.corners]
        assert math.isclose(min(xs), shape.left, abs_tol=1e-6)
        assert math.isclose(max(xs) - min(xs), shape.width_px, rel_tol=1e-9)
        assert math.isclose(max(ys) - min(ys), shape.height_px, rel_tol=1e-9)
        if shape.kind == "square":
            (x0, y0), (x1, y1) = shape.corners[:2]
            assert abs(math.degrees(math.atan2(y1 - y0, x1 - x0))) <= 15 + 1e-6


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_the_picture_shows_each_shape_in_its_colour_at_its_place(seed: int) -> None:
    scene = draw_scene(seed)
    pixels = np.asarray(as_opened(scene)).astype(int)
    assert pixels.shape == (scene.height_px, scene.width_px, 3)
    for shape in scene.shapes:
        x, y = (int(v) for v in shape.centroid)
        middle = pixels[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))
        # JPEG, blur and noise may change a pixel, but no colour into another.
        assert np.abs(middle - shape.rgb).max() < 48, (shape, middle)


def test_the_same_seed_gives_the_same_file_and_files_are_of_both_kinds() -> None:
    formats = set()
    for seed in range(12):
        scene = draw_scene(seed)
        assert scene == draw_scene(seed)
        content = encode(scene)
        assert content == encode(scene)
        with Image.open(io.BytesIO(content)) as picture:
            formats.add(picture.format)
            assert picture.size == (scene.width_px, scene.height_px)
    assert formats == {"PNG", "JPEG"}


def test_a_png_read_back_is_the_picture_drawn() -> None:
    scene = next(s for s in map(draw_scene, range(100)) if s.file_format == "PNG" and s.noise > 0)
    with Image.open(io.BytesIO(encode(scene))) as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(render(scene)))
        assert np.array_equal(np.asarray(as_opened(scene)), np.asarray(render(scene)))


def test_all_colours_and_kinds_are_drawn() -> None:
    shapes = [shape for seed in range(200) for shape in draw_scene(seed).shapes]
    assert {shape.colour for shape in shapes} == set(COLOURS)
    assert {shape.kind for shape in shapes} == {"circle", "square", "triangle", "star"}
