"""A picture as its model sees it: the same pixels as the models' own code, and their number in words."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launcher.families.common.pictures import PictureBudget, TileBudget, WholeBudget
from launcher.families.common.pixel_budget import PixelBudget
from launcher.families.common.tile_grid import TileRule
from launcher.models.qwen_vl_pixels import to_pixels
from launcher.models.tiles import cut_tiles
from launcher.ui.seen_pictures import SeenPictures, apart, tiles_of
from launcher.ui.texts import Language
from tests.models.test_qwen_vl_pixels import QWEN3

TILES = TileBudget(TileRule(448, 1, 12, thumbnail=True), tokens_per_tile=256, patches_per_tile=1024)
WHOLE = WholeBudget(490, picture_tokens=1225, patches=1225)
ONE_TOKEN = WholeBudget(28, picture_tokens=1, patches=1)
PIXELS = PixelBudget(QWEN3)


def picture(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 80).convert("RGB")


@pytest.mark.parametrize("size", [(300, 200), (1600, 1200), (2000, 300), (40, 900)])
def test_tiles_are_those_of_internvl(size: tuple[int, int]) -> None:
    whole = picture(*size)
    found = tiles_of(whole, TILES.view(*size))
    assert [each.tobytes() for each in found] == [each.tobytes() for each in cut_tiles(whole, TILES.rule)]
    assert len(found) * 256 == TILES.tokens(*size)
    sheet = apart(found, TILES.view(*size))
    assert sheet.crop((0, 0, 448, 448)).tobytes() == found[0].tobytes()


def test_a_scaled_picture_is_that_of_qwen() -> None:
    whole = picture(700, 500)
    (found,) = tiles_of(whole, PIXELS.view(700, 500))
    mean, std = (np.array(each)[:, None, None] for each in (QWEN3.mean, QWEN3.std))
    shown = to_pixels(whole, QWEN3)[0].numpy() * std + mean
    assert np.allclose(np.asarray(found).transpose(2, 0, 1) / 255, shown, atol=1e-4)


@pytest.mark.parametrize(
    ("budget", "one_tile", "language", "told"),
    [
        (
            TILES,
            False,
            "en",
            "1600 × 1200 pixels, seen as 12 tiles of 448 × 448 and a thumbnail: 3,328 tokens",
        ),
        (
            TILES,
            False,
            "zh",
            "1600 × 1200 像素，模型看到的是 12 个 448 × 448 的图块和一张缩略图：3,328 个 token",
        ),
        (TILES, True, "en", "1600 × 1200 pixels, seen as one tile of 448 × 448: 256 tokens"),
        (ONE_TOKEN, False, "en", "1600 × 1200 pixels, seen as one tile of 28 × 28: 1 token"),
        (WHOLE, False, "en", "1600 × 1200 pixels, seen as one tile of 490 × 490: 1,225 tokens"),
        (PIXELS, True, "zh", "1600 × 1200 像素，模型看到的是一个 576 × 416 的图块：234 个 token"),
    ],
)
async def test_what_is_told(
    tmp_path: Path, budget: PictureBudget, one_tile: bool, language: Language, told: str
) -> None:
    picture(1600, 1200).save(tmp_path / "a.png")
    seen = await SeenPictures().draw(tmp_path / "a.png", budget, one_tile=one_tile, language=language)
    assert seen["told"] == told
    kind, _, content = (seen["picture"] or "").partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as shown:
        assert max(shown.size) < 4000
