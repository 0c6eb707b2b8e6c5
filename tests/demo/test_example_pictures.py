"""The committed example pictures are what the program draws."""

from __future__ import annotations

import numpy as np
from PIL import Image

from launcher.demo.example_pictures import FOLDER, example_scenes
from launcher.demo.pictures import render


def test_the_files_are_the_scenes_drawn() -> None:
    scenes = dict(example_scenes())
    assert {path.name for path in FOLDER.glob("*.png")} == set(scenes)
    for name, scene in scenes.items():
        with Image.open(FOLDER / name) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(render(scene)))
