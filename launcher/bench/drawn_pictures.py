"""Pictures for conversations that have some: each another one, of the size of one tile."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

_SIDE = 448


def draw(folder: Path, count: int) -> tuple[Path, ...]:
    """PNG files of discs on coloured ground."""
    paths = []
    for number in range(count):
        picture = Image.new("RGB", (_SIDE, _SIDE), (37 * number % 256, 101 * number % 256, 180))
        edge = 40 + 10 * (number % 16)
        ImageDraw.Draw(picture).ellipse((edge, edge, _SIDE - edge, _SIDE - edge), fill=(250, 220, 60))
        paths.append(folder / f"drawn-{number}.png")
        picture.save(paths[-1])
    return tuple(paths)
