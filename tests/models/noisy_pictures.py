"""Pictures to ask random models about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {"wide": (300, 200), "tall": (150, 420), "small": (40, 40)}


def noisy_pictures(folder: Path) -> dict[str, Path]:
    """Noise: no two pictures look alike to a random tower."""
    noise, found = np.random.default_rng(0), {}
    for name, (width, height) in SIZES.items():
        found[name] = folder / f"{name}.png"
        pixels = noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(found[name])
    return found
