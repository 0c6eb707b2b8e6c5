"""What is a picture, and what it looks like once loaded. The files are written here, by Pillow or by hand."""

from __future__ import annotations

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from launcher.errors import PictureError
from launcher.images import FORMATS, PictureLimits, check_upload, load_picture
from launcher.images.memory import MAX_BYTES, MAX_KEPT_PIXELS
from tests import picture_memory
from tests import picture_variants as files

RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)


def two_colours(mode: str = "RGB") -> Image.Image:
    """8 x 4, red on the left half, blue on the right."""
    picture = Image.new("RGB", (8, 4), RED)
    picture.paste(BLUE, (4, 0, 8, 4))
    return picture.convert(mode)


def saved(folder: Path, picture: Image.Image, kind: str = "PNG", **options: object) -> Path:
    path = folder / f"picture.{kind.lower()}"
    path.write_bytes(files.saved(picture, kind, **options))
    return path


def written(folder: Path, content: bytes) -> Path:
    path = folder / "written"
    path.write_bytes(content)
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
    path = path.rename(tmp_path / "no-extension")
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
        (huge_png(60_000, 60_000), "60000 x 60000 pixels, more than the .* million"),
        (huge_png(10_000, 10_000), "10000 x 10000 pixels, more than the .* million"),
        (huge_png(8_001, 8_000), "8001 x 8000 pixels, more than the .* million"),
        (huge_png(70_000, 5), "70000 x 5 pixels; a side may have 65535"),
        (huge_png(0, 5), "not a picture"),
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
        "too-wide",
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


@pytest.mark.parametrize("name", files.variants())
def test_every_variant_is_a_picture(tmp_path: Path, name: str) -> None:
    assert load_picture(written(tmp_path, files.variants()[name])).size in (files.SIZE, files.SIZE[::-1])


@pytest.mark.parametrize(
    "beside",
    [
        files.text_bomb((1 << 20) + 1),
        files.text_bomb(100 << 20),
        files.chunk(b"iTXt", b"a\0\1\0\0\0" + files.packed_zeros(100 << 20)),
        files.chunk(b"iCCP", b"a\0\0" + files.packed_zeros(100 << 20)),
        files.chunk(b"iCCP", b"a\0\0" + zlib.compress(os.urandom(2 << 20))),
        files.chunk(b"zTXt", b"a\0\7no such method"),
        files.chunk(b"tEXt", b"a\0b")[:-1] + b"?",
        files.chunk(b"gAMA", b"1"),
        files.chunk(b"pHYs", b""),
        files.chunk(b"eXIf", b"nothing"),
        files.chunk(b"tIME", bytes(70_000)),
        files.chunk(b"acTL", struct.pack(">II", 9, 9)),
        b"\0\0\0\5tEXta\0b" + b"1234",
        b"\0\0\1\0tEXta\0b" + b"1234",
    ],
    ids=[
        *("text", "text-bomb", "itext-bomb", "profile-bomb", "profile", "method", "checksum", "gama", "phys"),
        *("exif", "time", "animation", "length", "long-length"),
    ],
)
def test_what_stands_beside_pixels_never_decides(tmp_path: Path, beside: bytes) -> None:
    png = files.saved(files.picture(), "PNG")
    seen = load_picture(written(tmp_path, files.with_chunks(png, beside)))
    assert seen.tobytes() == files.picture().tobytes()


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xFE])
@pytest.mark.parametrize(
    "body", [b"Exif\0\0nothing", b"ICC_PROFILE\0\1\1none", b"Photoshop 3.0\x008BIM\xff", b""]
)
def test_what_stands_beside_a_jpegs_pixels_never_decides(tmp_path: Path, marker: int, body: bytes) -> None:
    jpeg = files.saved(files.picture(), "JPEG")
    beside = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    seen = load_picture(written(tmp_path, jpeg[:2] + beside + jpeg[2:]))
    assert seen.tobytes() == load_picture(written(tmp_path, jpeg)).tobytes()


@pytest.mark.parametrize("overlooked", [False, True], ids=["", "pillow-told-to-overlook"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_missing_tail_is_no_harm_and_missing_pixels_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, overlooked: bool
) -> None:
    """LMDeploy tells Pillow, for the whole process, to make up what is missing."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", overlooked)
    noise = Image.effect_noise((96, 96), 90).convert("RGB")
    content = files.saved(noise.quantize(64) if kind == "GIF" else noise, kind)
    whole = load_picture(written(tmp_path, content)).tobytes()
    tail = {"PNG": 12, "JPEG": 2, "GIF": 1}.get(kind, 0)
    assert load_picture(written(tmp_path, content[: len(content) - tail])).tobytes() == whole
    assert load_picture(written(tmp_path, content + b"tail" * 99)).tobytes() == whole
    for share in (0.5, 0.9, 0.97):
        with pytest.raises(PictureError, match=r"cut short|not a picture"):
            load_picture(written(tmp_path, content[: int(len(content) * share)]))


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}]
)
def test_a_jpeg_without_its_end_mark(tmp_path: Path, options: dict[str, Any]) -> None:
    content = files.saved(Image.effect_noise((200, 150), 70).convert("RGB"), "JPEG", **options)
    whole = load_picture(written(tmp_path, content)).tobytes()
    assert load_picture(written(tmp_path, content[:-2])).tobytes() == whole
    assert load_picture(written(tmp_path, content[:-1])).tobytes() == whole
    for missing in (40, 400, len(content) // 2):
        with pytest.raises(PictureError, match="cut short"):
            load_picture(written(tmp_path, content[:-missing]))


def test_colours_are_those_that_a_browser_shows(tmp_path: Path) -> None:
    """By the formulas, for one colour; tests/browser/test_pictures.py asks Chromium about all sorts."""
    plain = files.saved(Image.new("RGB", (2, 2), (200, 100, 50)), "PNG")

    def seen(*chunks: bytes) -> object:
        return load_picture(written(tmp_path, files.with_chunks(plain, *chunks))).getpixel((0, 0))

    def profile(content: bytes) -> bytes:
        return files.chunk(b"iCCP", b"a\0\0" + zlib.compress(content))

    assert seen() == seen(profile(files.srgb_profile())) == seen(profile(b"none" * 99)) == (200, 100, 50)
    assert near(seen(profile(files.swapped_profile())), (50, 100, 200), slack=2)
    assert near(seen(files.gama(100_000)), (229, 168, 122), slack=2)  # linear light, sRGB's curve put on
    assert near(seen(files.gama(45_455), files.chrm(files.P3_POINTS)), (216, 93, 24), slack=2)


def test_a_picture_of_srgb_stays_bit_for_bit(tmp_path: Path) -> None:
    for name in ("png RGB", "png RGB sRGB", "png sRGB gAMA", "webp lossless", "webp sRGB"):
        seen = load_picture(written(tmp_path, files.variants()[name]))
        assert seen.tobytes() == files.picture().tobytes(), name


def test_of_an_animation_with_another_default_the_first_frame_is_seen(tmp_path: Path) -> None:
    seen = load_picture(written(tmp_path, files.apng_with_other_default()))
    assert seen.size == files.SIZE
    assert seen.getpixel((0, 0)) == WHITE
    assert seen.getpixel((11, 28)) != WHITE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_large_picture_is_made_smaller_while_it_is_decoded(tmp_path: Path, kind: str) -> None:
    drawn = Image.new("L", (6000, 4000), 255)
    drawn.paste(0, (0, 0, 3000, 4000))
    seen = load_picture(saved(tmp_path, drawn, kind))
    assert seen.width * seen.height <= MAX_KEPT_PIXELS
    assert seen.size == (3000, 2000)
    assert near(seen.getpixel((700, 900)), (0, 0, 0))
    assert near(seen.getpixel((2700, 900)), WHITE)


@pytest.mark.parametrize(
    "kind",
    ["PNG, RGBA, interlaced", "JPEG, CMYK", "JPEG, progressive, 4:4:4", "WebP, animated", "AVIF", "HEIC"],
)
def test_no_accepted_picture_takes_more_memory_than_is_allowed(tmp_path: Path, kind: str) -> None:
    """The largest that is accepted, in a process of its own; ``python -m tests.picture_memory`` has all."""
    make = picture_memory.KINDS[kind]
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(make(64, 48))
    large.write_bytes(make(*picture_memory.largest(make)))
    seen = picture_memory.seen(small, large)
    assert seen.is_shown
    assert seen.mib << 20 <= MAX_BYTES


def test_one_picture_is_decoded_at_a_time(tmp_path: Path) -> None:
    paths = [tmp_path / "small", tmp_path / "large"]
    paths[0].write_bytes(picture_memory.png(64, 48, 6))
    paths[1].write_bytes(picture_memory.png(4000, 3000, 6))
    one = picture_memory.seen(*paths).mib
    assert picture_memory.seen(*paths, threads=4).mib <= one + 4 * 4000 * 3000 * 4 // (1 << 20) + 60


def damaged(draw: st.DrawFn) -> bytes:
    """A file of any format with bytes changed, parts cut out or doubled, or its end missing."""
    content = bytearray(draw(st.sampled_from(sorted(files.variants().values()))))
    for _ in range(draw(st.integers(1, 5))):
        at, other = sorted(draw(st.integers(0, max(0, len(content) - 1))) for _ in range(2))
        match draw(st.sampled_from(["change", "cut out", "double", "end", "flip"])):
            case "change":
                new = draw(st.binary(min_size=1, max_size=6))
                content[at : at + len(new)] = new
            case "cut out":
                del content[at : min(other, at + 40)]
            case "double":
                content[at:at] = content[at:other]
            case "end":
                del content[other + 1 :]
            case "flip" if content:
                content[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(content[:200_000])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.composite(damaged)())
def test_damage_ends_in_a_picture_or_a_picture_error(tmp_path: Path, content: bytes) -> None:
    try:
        seen = load_picture(written(tmp_path, content), PictureLimits(max_pixels=1_000_000))
    except PictureError:
        return
    assert seen.mode == "RGB"
    assert seen.width * seen.height <= 1_000_000
