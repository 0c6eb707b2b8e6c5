"""A picture as a model sees it: squeezed and cut by the family's own budget, its tiles apart, with their
number and tokens in words. No model is asked."""

from __future__ import annotations

import asyncio
import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from PIL import Image

from launcher.images import load_picture
from launcher.picture_budgets import PictureBudget, PictureView
from launcher.ui.texts import Language, say

_GAP_PX = 8
_BETWEEN = (128, 128, 128)
_UNKNOWN = "This model does not say how it looks at pictures."


class Seen(TypedDict):
    """What the page shows: a data: URL, none where only the picture itself can be shown, and words."""

    picture: str | None
    told: str


@dataclass
class SeenPictures:
    """Draws one at a time: each takes a picture's memory."""

    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def draw(
        self, path: Path, budget: PictureBudget | None, *, one_tile: bool, language: Language
    ) -> Seen:
        """The picture in the file, within the model's budget or as one tile.

        Raises:
            PictureError: it cannot be read.
        """
        if budget is None:
            return {"picture": None, "told": say(_UNKNOWN, language)}
        async with self._turn:
            within = budget.coarse() if one_tile else budget
            return await asyncio.to_thread(_seen, path, within, language)


def _seen(path: Path, budget: PictureBudget, language: Language) -> Seen:
    picture = load_picture(path)
    view = budget.view(*picture.size)
    told = _told(view, budget.tokens(*picture.size), picture.size, language)
    file = io.BytesIO()
    apart(tiles_of(picture, view), view).save(file, "JPEG", quality=90, subsampling=0)
    return {"picture": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}", "told": told}


def tiles_of(picture: Image.Image, view: PictureView) -> list[Image.Image]:
    """Row by row, then the thumbnail: the same pixels as the models' own code cuts."""
    whole = picture.resize((view.width_px, view.height_px), Image.Resampling.BICUBIC)
    width, height = view.tile_px
    corners = [(column * width, row * height) for row in range(view.rows) for column in range(view.columns)]
    tiles = [whole.crop((left, top, left + width, top + height)) for left, top in corners]
    if view.thumbnail:
        tiles.append(picture.resize(view.tile_px, Image.Resampling.BICUBIC))
    return tiles


def apart(tiles: list[Image.Image], view: PictureView) -> Image.Image:
    """The tiles in their places with gaps between them, the thumbnail in a column of its own."""
    width, height = (each + _GAP_PX for each in view.tile_px)
    columns = view.columns + view.thumbnail
    sheet = Image.new("RGB", (columns * width - _GAP_PX, view.rows * height - _GAP_PX), _BETWEEN)
    for number, tile in enumerate(tiles):
        is_thumbnail = number == view.columns * view.rows
        row, column = (0, view.columns) if is_thumbnail else divmod(number, view.columns)
        sheet.paste(tile, (column * width, row * height))
    return sheet


def _told(view: PictureView, tokens: int, size: tuple[int, int], language: Language) -> str:
    width, height = view.tile_px
    values = {
        "tiles": view.columns * view.rows,
        "width": width,
        "height": height,
        "tokens": f"{tokens:,}",
        "from": f"{size[0]} × {size[1]}",
    }
    if view.columns * view.rows == 1 and tokens == 1:
        return say("{from} pixels, seen as one tile of {width} × {height}: {tokens} token", language, values)
    if view.columns * view.rows == 1:
        return say("{from} pixels, seen as one tile of {width} × {height}: {tokens} tokens", language, values)
    if view.thumbnail:
        return say(
            "{from} pixels, seen as {tiles} tiles of {width} × {height} and a thumbnail: {tokens} tokens",
            language,
            values,
        )
    return say(
        "{from} pixels, seen as {tiles} tiles of {width} × {height}: {tokens} tokens", language, values
    )
