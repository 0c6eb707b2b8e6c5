"""What is a picture, and what it looks like once loaded. The files are written here, by Pillow or by hand."""

from __future__ import annotations

import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from launcher.errors import PictureError
from launcher.images import FORMATS, PictureLimits, check_upload, load_picture

RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)


def two_colours(mode: str = "RGB") -> Image.Image:
    """8 x 4, red on the left half, blue on the right."""
    picture = Image.new("RGB", (8, 4), RED)
    picture.paste(BLUE, (4, 0, 8, 4))
    return picture.convert(mode)


def saved(folder: Path, picture: Image.Image, kind: str = "PNG", **options: object) -> Path:
    path = folder / f"picture.{kind.lower()}"
    picture.save(path, format=kind, **options)  # type: ignore[arg-type]
    return path


def near(seen: object, wanted: tuple[int, int, int], slack: int = 24) -> bool:
    assert isinstance(seen, tuple)
    return all(abs(a - b) <= slack for a, b in zip(seen, wanted, strict=True))


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that claim any number of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_picture(tmp_path: Path, kind: str) -> None:
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    path = saved(tmp_path, two_colours().resize((64, 32), Image.Resampling.NEAREST), kind, **options)
    check_upload(path)
    picture = load_picture(path)
    assert (picture.mode, picture.size) == ("RGB", (64, 32))
    assert near(picture.getpixel((8, 16)), RED)
    assert near(picture.getpixel((56, 16)), BLUE)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = saved(tmp_path, two_colours()).rename(tmp_path / "notes.txt")
    assert load_picture(path).size == (8, 4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"just a text, whatever its name", "not a picture"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (b"%PDF-1.7\n", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (huge_png(60_000, 60_000), "too many pixels"),
        (huge_png(10_000, 10_000), "too many pixels"),
        (huge_png(8_001, 8_000), "8001 x 8000 pixels, more than the 64 million"),
        (huge_png(0, 5), "cut short|not a picture"),
    ],
    ids=[
        "text",
        "empty",
        "png-signature",
        "pdf",
        "svg",
        "bomb-error",
        "bomb-warning",
        "over-our-limit",
        "no-width",
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=words) as caught:
        load_picture(path)
    assert "x.png" in caught.value.message
    assert caught.value.hint


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(9_000, 9_000))
    with pytest.raises(PictureError, match="9000 x 9000"):
        check_upload(path)


def test_limits_are_inclusive(tmp_path: Path) -> None:
    path = saved(tmp_path, two_colours())
    size = path.stat().st_size
    check_upload(path, PictureLimits(max_bytes=size, max_pixels=32))
    with pytest.raises(PictureError, match="MB"):
        check_upload(path, PictureLimits(max_bytes=size - 1))
    with pytest.raises(PictureError, match="8 x 4 pixels"):
        check_upload(path, PictureLimits(max_pixels=31))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_cut_short_is_named(tmp_path: Path, kind: str, share: float) -> None:
    noise = Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3))
    path = saved(tmp_path, noise, kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PictureError, match=r"picture\.\w+ is (cut short|not a picture)"):
        load_picture(path)


def test_half_a_picture_is_refused_whatever_other_libraries_told_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LMDeploy tells Pillow, for the whole process, to fill up what is missing."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = tmp_path / "half.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(PictureError, match="cut short"):
        load_picture(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (40, 24), WHITE)
    upright.paste(RED, (0, 0, 20, 12))
    to_stored = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = (
        upright.transpose(Image.Transpose(to_stored[orientation])) if orientation in to_stored else upright
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, "JPEG", exif=exif, quality=95)
    picture = load_picture(path)
    assert picture.size == (40, 24)
    assert near(picture.getpixel((6, 4)), RED)
    assert near(picture.getpixel((34, 20)), WHITE)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02"],
)
def test_damaged_exif_does_not_spoil_the_picture(tmp_path: Path, exif: bytes) -> None:
    assert load_picture(saved(tmp_path, two_colours(), "JPEG", exif=exif)).size == (8, 4)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (8, 4), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (4, 0, 8, 4))
    seen = load_picture(saved(tmp_path, picture.convert(mode)))
    assert seen.getpixel((1, 1)) == WHITE
    assert seen.getpixel((6, 1)) == (0, 0, 0)


def test_half_transparent_red_is_pink(tmp_path: Path) -> None:
    seen = load_picture(saved(tmp_path, Image.new("RGBA", (2, 2), (255, 0, 0, 128))))
    assert near(seen.getpixel((0, 0)), (255, 127, 127), slack=1)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_palettes_grey_and_black_and_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("L", (4, 4), 0)
    picture.paste(255, (2, 0, 4, 4))
    seen = load_picture(saved(tmp_path, picture.convert(mode)))
    assert (seen.getpixel((0, 0)), seen.getpixel((3, 0))) == ((0, 0, 0), WHITE)


def test_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    seen = load_picture(saved(tmp_path, Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert near(seen.getpixel((8, 8)), RED)


def test_sixteen_bit_grey_keeps_its_shades(tmp_path: Path) -> None:
    picture = Image.frombytes("I;16", (4, 1), struct.pack("<4H", 0, 257 * 64, 257 * 128, 65535))
    seen = load_picture(saved(tmp_path, picture))
    assert [seen.getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 64, 128, 255)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    path = saved(tmp_path, frames[0], kind, save_all=True, append_images=frames[1:])
    assert near(load_picture(path).getpixel((8, 8)), RED)


def test_folders_links_and_pipes_are_refused(tmp_path: Path) -> None:
    real = saved(tmp_path, two_colours())
    link, pipe = tmp_path / "link.png", tmp_path / "pipe.png"
    link.symlink_to(real)
    os.mkfifo(pipe)
    for path in (tmp_path, link, pipe, Path("/dev/zero"), Path("bad\0name.png")):
        with pytest.raises(PictureError, match="not a file"):
            load_picture(path)
    with pytest.raises(PictureError, match="There is no file gone"):
        load_picture(tmp_path / "gone.png")


def test_names_are_shown_safely(tmp_path: Path) -> None:
    with pytest.raises(PictureError) as caught:
        load_picture(tmp_path / ("a{b}\x1b[31m\n" + "x" * 200 + ".png"))
    assert len(caught.value.message) < 120
    assert caught.value.message.isprintable()
    assert "a{b}" in caught.value.message


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    paths = []
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(saved(folder, Image.new("RGB", (50, 50), (number * 30, 0, 0))))
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(huge_png(10_000, 10_000))

    def work(number: int) -> object:
        if number % 9 == 8:
            with pytest.raises(PictureError):
                load_picture(bomb)
            return None
        return load_picture(paths[number % 9]).getpixel((25, 25))

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(work, range(180)))
    assert seen == [None if n % 9 == 8 else (n % 9 * 30, 0, 0) for n in range(180)]


def valid_files() -> list[bytes]:
    files = []
    for kind in FORMATS:
        held = io.BytesIO()
        two_colours().resize((24, 24)).save(held, format=kind)
        files.append(held.getvalue())
    return files


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(valid_files()),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=6)), max_size=6),
    cut=st.integers(0, 4000),
)
def test_damage_ends_in_a_picture_or_a_picture_error(
    tmp_path: Path, content: bytes, changes: list[tuple[int, bytes]], cut: int
) -> None:
    damaged = bytearray(content[: len(content) - cut % len(content)])
    for where, new in changes:
        at = where % len(damaged)
        damaged[at : at + len(new)] = new
    path = tmp_path / "damaged"
    path.write_bytes(bytes(damaged))
    try:
        mode = load_picture(path, PictureLimits(max_pixels=1_000_000)).mode
    except PictureError:
        return
    assert mode == "RGB"
