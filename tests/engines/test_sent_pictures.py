"""Pictures as they are sent to a server: within what the preset allows, exact where that is small, encoded
once."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from launcher.engines import sent_pictures
from launcher.engines.sent_pictures import TILE_PIXELS, SentPictures
from launcher.errors import PictureError


def noise(side: int, seed: int = 1) -> Image.Image:
    """As little like anything as a photograph's grain: no PNG makes it small."""
    return Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(3 * side * side))


def saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


def opened(url: str) -> tuple[str, Image.Image]:
    """The format that the URL names, and the picture in it."""
    head, _, content = url.partition(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert head == f"data:image/{(picture.format or '').lower()}"
    return head.removeprefix("data:image/"), picture


def test_a_drawing_is_sent_with_every_pixel(tmp_path: Path) -> None:
    picture = Image.linear_gradient("L").resize((500, 300)).convert("RGB")
    kind, sent = opened(SentPictures(12).url(saved(picture, tmp_path / "p.webp.png")))
    assert kind == "png"
    assert sent.tobytes() == picture.tobytes()


def test_a_photograph_is_sent_as_a_jpeg_that_looks_the_same(tmp_path: Path) -> None:
    picture = noise(500).resize((1000, 1000), Image.Resampling.BICUBIC)
    kind, sent = opened(SentPictures(12).url(saved(picture, tmp_path / "p.png")))
    assert (kind, sent.size) == ("jpeg", picture.size)
    differences = ImageStat.Stat(ImageChops.difference(sent, picture)).mean
    assert max(differences) < 5  # of 255


@pytest.mark.parametrize(("tiles", "size"), [(1, (633, 316)), (4, (1267, 633)), (12, (2000, 1000))])
def test_a_picture_has_no_more_pixels_than_the_presets_tiles(
    tmp_path: Path, tiles: int, size: tuple[int, int]
) -> None:
    path = saved(Image.new("RGB", (2000, 1000), "blue"), tmp_path / "p.png")
    _, sent = opened(SentPictures(tiles).url(path))
    assert sent.size == size
    assert sent.width * sent.height <= tiles * TILE_PIXELS


def test_what_was_encoded_is_not_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[tuple[int, int]] = []
    encode = sent_pictures._encoded
    monkeypatch.setattr(
        sent_pictures, "_encoded", lambda picture: encoded.append(picture.size) or encode(picture)
    )
    pictures = SentPictures(12)
    first = saved(noise(50), tmp_path / "a.png")
    same = saved(noise(50), tmp_path / "b.png")
    assert pictures.url(first) == pictures.url(first) == pictures.url(same)
    assert encoded == [(50, 50)]
    saved(noise(60), first)  # another picture under the same name
    assert opened(pictures.url(first))[1].size == (60, 60)
    assert encoded == [(50, 50), (60, 60)]


def test_what_is_kept_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_pictures, "KEPT_BYTES", 40_000)
    pictures = SentPictures(12)
    for seed in range(4):  # 11 KB each
        pictures.url(saved(noise(60, seed), tmp_path / f"{seed}.png"))
    assert len(pictures._kept.items()) == 2
    assert pictures._kept.held_bytes <= 40_000


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="is not a picture"):
        SentPictures(12).url(tmp_path / "p.png")
