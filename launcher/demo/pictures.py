"""The Shapes world's pictures: a seed becomes a scene, a scene a picture, a picture the bytes of a PNG or
JPEG file.

Owns what may be in a picture and how it is drawn (shared rules: 1 to 4 flat shapes, 12 to 35 % of the short
side wide, whole, not overlapping, on a plain background). It knows nothing of questions, tiles or models, and
needs Pillow and NumPy alone.
"""

from __future__ import annotations

import colorsys
import io
import math
import random
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Rgb = tuple[int, int, int]
Point = tuple[float, float]
Kind = Literal["circle", "square", "triangle", "star"]
Colour = Literal["red", "orange", "yellow", "green", "blue", "purple", "black", "white"]
FileFormat = Literal["PNG", "JPEG"]

KINDS: tuple[Kind, ...] = ("circle", "square", "triangle", "star")
COLOURS: tuple[Colour, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
MAX_SHAPES = 4
MIN_SIDE_PX, MAX_SIDE_PX = 128, 1024
MIN_SHARE, MAX_SHARE = 0.12, 0.35
"""A shape's width as a share of the picture's short side."""
MAX_TURN_DEGREES = 15.0
GAP_SHARE = 0.015
"""Room kept between two shapes' boxes and around the picture's edge, as a share of the short side."""
MIN_CONTRAST = 60
"""Largest channel difference, of 255, that every shape keeps to its background."""
SUPERSAMPLING = 4

# Hue in degrees, saturation and value: the ranges a person would give that name, with the usual palettes'
# colours inside.
_HUES: dict[Colour, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-8, 8), (0.75, 1), (0.75, 1)),
    "orange": ((24, 39), (0.8, 1), (0.9, 1)),
    "yellow": ((50, 61), (0.75, 1), (0.9, 1)),
    "green": ((95, 150), (0.6, 1), (0.45, 0.95)),
    "blue": ((205, 242), (0.7, 1), (0.6, 1)),
    "purple": ((272, 302), (0.5, 1), (0.45, 0.8)),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape. ``left``, ``top``, ``width_px`` and ``height_px`` are its tight box in pixels; circles have
    no corners."""

    kind: Kind
    colour: Colour
    rgb: Rgb
    left: float
    top: float
    width_px: float
    height_px: float
    corners: tuple[Point, ...]

    @property
    def centre(self) -> Point:
        """Middle of the box."""
        return self.left + self.width_px / 2, self.top + self.height_px / 2

    @property
    def centroid(self) -> Point:
        """Centre of mass; it differs from the middle of the box for triangles and, slightly, for stars."""
        if not self.corners:
            return self.centre
        return _centroid(self.corners)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is needed to draw one picture, the same every time. ``noise`` is a standard deviation in grey
    levels."""

    seed: int
    width_px: int
    height_px: int
    background: Rgb
    shapes: tuple[Shape, ...]
    file_format: FileFormat
    jpeg_quality: int
    blur_px: float
    noise: float

    @property
    def short_side_px(self) -> int:
        """The shorter of width and height."""
        return min(self.width_px, self.height_px)


def draw_scene(seed: int) -> Scene:
    """The scene of a seed; the same seed gives the same scene on every machine."""
    rng = random.Random(f"shapes-scene-{seed}")
    while True:
        width_px, height_px = _draw_size(rng)
        shapes = _place_shapes(rng, width_px, height_px, count=rng.randint(1, MAX_SHAPES))
        if shapes is not None:
            break
    is_jpeg = rng.random() < 0.5
    return Scene(
        seed=seed,
        width_px=width_px,
        height_px=height_px,
        background=_draw_background(rng, shapes),
        shapes=shapes,
        file_format="JPEG" if is_jpeg else "PNG",
        jpeg_quality=rng.randint(75, 95),
        blur_px=rng.uniform(0, 0.004) * min(width_px, height_px) if rng.random() < 0.3 else 0.0,
        noise=rng.uniform(1, 6) if rng.random() < 0.4 else 0.0,
    )


def render(scene: Scene) -> Image.Image:
    """Draws the scene: an RGB picture of ``width_px`` x ``height_px``."""
    picture = Image.new("RGB", (scene.width_px, scene.height_px), scene.background)
    for shape in scene.shapes:
        _paint(picture, shape)
    if scene.blur_px > 0:
        picture = picture.filter(ImageFilter.GaussianBlur(scene.blur_px))
    return _add_noise(picture, scene) if scene.noise > 0 else picture


def encode(scene: Scene) -> bytes:
    """The picture's file: PNG or JPEG, as the scene says."""
    buffer = io.BytesIO()
    if scene.file_format == "JPEG":
        render(scene).save(buffer, "JPEG", quality=scene.jpeg_quality)
    else:
        render(scene).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def as_opened(scene: Scene) -> Image.Image:
    """The picture as a reader of its file sees it; PNG loses nothing, so only JPEG takes the way through
    bytes."""
    if scene.file_format == "PNG":
        return render(scene)
    with Image.open(io.BytesIO(encode(scene))) as picture:
        return picture.convert("RGB")


def _draw_size(rng: random.Random) -> tuple[int, int]:
    """Both sides log-uniform within the limits, aspect ratio within 1:2 to 2:1."""
    while True:
        width = round(math.exp(rng.uniform(math.log(MIN_SIDE_PX), math.log(MAX_SIDE_PX))))
        height = round(math.exp(rng.uniform(math.log(MIN_SIDE_PX), math.log(MAX_SIDE_PX))))
        if 0.5 <= width / height <= 2:
            return width, height


def _place_shapes(rng: random.Random, width_px: int, height_px: int, count: int) -> tuple[Shape, ...] | None:
    """Shapes at free places, or None when there is no room for that many."""
    placed: list[Shape] = []
    for _ in range(count):
        shape = _place_one(rng, width_px, height_px, placed)
        if shape is None:
            return None
        placed.append(shape)
    return tuple(placed)


def _place_one(rng: random.Random, width_px: int, height_px: int, placed: list[Shape]) -> Shape | None:
    short = min(width_px, height_px)
    gap = GAP_SHARE * short
    kind, colour = rng.choice(KINDS), rng.choice(COLOURS)
    outline, aspect = _unit_outline(rng, kind)
    rgb = _draw_rgb(rng, colour)
    for _ in range(60):
        width = rng.uniform(MIN_SHARE, MAX_SHARE) * short
        height = width * aspect
        left, top = rng.uniform(gap, width_px - gap - width), rng.uniform(gap, height_px - gap - height)
        corners = tuple((left + x * width, top + y * width) for x, y in outline)
        shape = Shape(kind, colour, rgb, left, top, width, height, corners)
        if not any(_boxes_meet(shape, other, gap) for other in placed):
            return shape
    return None


def _boxes_meet(a: Shape, b: Shape, gap: float) -> bool:
    return (
        a.left < b.left + b.width_px + gap
        and b.left < a.left + a.width_px + gap
        and a.top < b.top + b.height_px + gap
        and b.top < a.top + a.height_px + gap
    )


def _unit_outline(rng: random.Random, kind: Kind) -> tuple[tuple[Point, ...], float]:
    """Corners in a box of width 1 whose top left is the origin, and the box's height; a circle has no
    corners."""
    if kind == "circle":
        return (), 1.0
    if kind == "square":
        corners = _turned([(0, 0), (1, 0), (1, 1), (0, 1)], _draw_turn(rng))
    elif kind == "triangle":
        height = rng.uniform(0.82, 1.0)
        corners = _turned([(0.5, 0), (1, height), (0, height)], _draw_turn(rng))
    else:
        corners = _star(inner_share=rng.uniform(0.38, 0.5))
    return _fit_unit_width(corners)


def _draw_turn(rng: random.Random) -> float:
    return rng.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES) if rng.random() < 0.5 else 0.0


def _star(inner_share: float) -> list[Point]:
    """A five-pointed star, one point up; ``inner_share`` is the inner corners' radius over the outer
    ones'."""
    radii = (1.0, inner_share)
    turns = [math.pi * step / 5 for step in range(10)]
    return [(radii[i % 2] * math.sin(turn), -radii[i % 2] * math.cos(turn)) for i, turn in enumerate(turns)]


def _turned(corners: list[Point], degrees: float) -> list[Point]:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return [(x * cosine - y * sine, x * sine + y * cosine) for x, y in corners]


def _fit_unit_width(corners: list[Point]) -> tuple[tuple[Point, ...], float]:
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    top, bottom = min(y for _, y in corners), max(y for _, y in corners)
    scale = 1 / (right - left)
    return tuple(((x - left) * scale, (y - top) * scale) for x, y in corners), (bottom - top) * scale


def _centroid(corners: tuple[Point, ...]) -> Point:
    """Centre of mass of a simple polygon (the shoelace formula)."""
    area = x_sum = y_sum = 0.0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        cross = x0 * y1 - x1 * y0
        area += cross / 2
        x_sum += (x0 + x1) * cross
        y_sum += (y0 + y1) * cross
    return x_sum / (6 * area), y_sum / (6 * area)


def _draw_rgb(rng: random.Random, colour: Colour) -> Rgb:
    if colour == "black":
        level = rng.randint(0, 24)
        return level, level, level
    if colour == "white":
        level = rng.randint(250, 255)
        return level, level, level
    hues, saturations, values = _HUES[colour]
    return _from_hsv(rng.uniform(*hues), rng.uniform(*saturations), rng.uniform(*values))


def _from_hsv(hue_degrees: float, saturation: float, value: float) -> Rgb:
    red, green, blue = colorsys.hsv_to_rgb(hue_degrees % 360 / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _draw_background(rng: random.Random, shapes: tuple[Shape, ...]) -> Rgb:
    """White, grey or pale, far enough from every shape's colour to be told apart."""
    while True:
        choice = rng.random()
        if choice < 0.4:
            level = rng.randint(250, 255)
            background: Rgb = (level, level, level)
        elif choice < 0.7:
            level = rng.randint(100, 215)
            background = (level, level, level)
        else:
            background = _from_hsv(rng.uniform(0, 360), rng.uniform(0.08, 0.3), rng.uniform(0.88, 1))
        if all(contrast(background, shape.rgb) >= MIN_CONTRAST for shape in shapes):
            return background


def contrast(a: Rgb, b: Rgb) -> int:
    """Largest difference of a channel, 0 to 255."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def _paint(picture: Image.Image, shape: Shape) -> None:
    """Fills the shape with smooth edges: its mask is drawn larger and scaled down."""
    x0, y0 = math.floor(shape.left), math.floor(shape.top)
    width = math.ceil(shape.left + shape.width_px) - x0 + 1
    height = math.ceil(shape.top + shape.height_px) - y0 + 1
    mask = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    pen = ImageDraw.Draw(mask)
    if shape.corners:
        pen.polygon(
            [((x - x0) * SUPERSAMPLING, (y - y0) * SUPERSAMPLING) for x, y in shape.corners], fill=255
        )
    else:
        box = (
            shape.left - x0,
            shape.top - y0,
            shape.left - x0 + shape.width_px,
            shape.top - y0 + shape.height_px,
        )
        pen.ellipse(tuple(v * SUPERSAMPLING for v in box), fill=255)
    picture.paste(shape.rgb, (x0, y0), mask.resize((width, height), Image.Resampling.BOX))


def _add_noise(picture: Image.Image, scene: Scene) -> Image.Image:
    """Gaussian noise from one 256-pixel patch, repeated: drawing a million numbers a picture would cost more
    than the rest."""
    patch = np.random.default_rng(scene.seed).normal(0, scene.noise, (256, 256, 3)).round().astype(np.int16)
    repeats = (-(-scene.height_px // 256), -(-scene.width_px // 256), 1)
    noise = np.tile(patch, repeats)[: scene.height_px, : scene.width_px]
    return Image.fromarray((np.asarray(picture).astype(np.int16) + noise).clip(0, 255).astype(np.uint8))
