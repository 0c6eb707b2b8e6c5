"""Draws the pictures that presets offer as examples: ``python -m launcher.demo.example_pictures``.

They are held-out pictures, never trained on: the first clean, mid-sized ones in which every question has an
answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from launcher.demo.known_answers import held_out_scene
from launcher.demo.pictures import Scene, render
from launcher.demo.questions import place_of

FOLDER = Path(__file__).parent / "pictures"
SHAPES_SHOWN = (2, 3, 4)
"""One picture for each number of shapes; the file is named after it."""


def example_scenes() -> Iterator[tuple[str, Scene]]:
    """File name and scene of each example."""
    for count in SHAPES_SHOWN:
        scenes = map(held_out_scene, itertools.count())
        yield f"{count}-shapes.png", next(scene for scene in scenes if _shows_well(scene, count))


def _shows_well(scene: Scene, count: int) -> bool:
    kinds = {shape.kind for shape in scene.shapes}
    colours = {shape.colour for shape in scene.shapes}
    clean = (
        scene.blur_px == scene.noise == 0
        and 320 <= scene.short_side_px <= 480
        and scene.width_px / scene.height_px > 1.2
    )
    placed = all(place_of(shape, scene) is not None for shape in scene.shapes)
    return clean and placed and "star" in kinds and len(kinds) == len(colours) == len(scene.shapes) == count


def main() -> None:
    """Writes the files into ``FOLDER``."""
    FOLDER.mkdir(exist_ok=True)
    for name, scene in example_scenes():
        render(scene).save(FOLDER / name, "PNG", optimize=True)


if __name__ == "__main__":
    main()
