"""What an uploaded file holds beside its pixels is gone before anybody can ask for it; how it looks stays."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from launcher.images import load_picture, make_private
from launcher.images.private import without_private_facts

SECRET = b"51.5007 N 0.1246 W"
WHERE = SECRET.decode()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def drawn(mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (40, 30), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((2, 2, 20, 10), fill="red")
    pen.rectangle((25, 15, 38, 28), fill="blue")
    return image.convert(mode)


def exif(orientation: int = 1) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010E] = WHERE  # a description
    data[0x0132] = "2026:11:27 05:00:00"
    return data.tobytes()


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or drawn()).save(file, kind, **options)
    return file.getvalue()


def png(**options: Any) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", WHERE)
    texts.add_itxt("XML:com.adobe.xmp", WHERE)
    return saved("PNG", pnginfo=texts, **options)


def gif(**options: Any) -> bytes:
    """With every extension that can hold words: a comment, plain text and other programs' blocks; and words
    behind the end."""
    content = saved("GIF", drawn("P"), comment=SECRET, **options)
    piece = bytes([len(SECRET)]) + SECRET + b"\0"
    text = b"\x21\x01\x0c" + bytes(12) + piece
    xmp = b"\x21\xff\x0bXMP DataXMP" + piece
    repeats = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0" + piece
    return content[:-1] + text + xmp + repeats + b";" + SECRET


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="reads iPhones' pictures")
    file = io.BytesIO()
    heif = pillow_heif.from_pillow(drawn())
    heif.save(file, exif=exif(), xmp=SECRET, quality=90)
    return file.getvalue()


def animated(kind: str) -> bytes:
    frames = [drawn(), drawn().transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    return saved(kind, frames[0], save_all=True, append_images=frames[1:], exif=exif())


FILES = {
    "JPEG": lambda: saved("JPEG", exif=exif(), comment=SECRET, xmp=SECRET),
    "JPEG, turned": lambda: saved("JPEG", exif=exif(6)),
    "JPEG with a profile": lambda: saved("JPEG", exif=exif(), icc_profile=SRGB),
    "PNG": lambda: png(exif=exif()),
    "PNG, turned": lambda: png(exif=exif(8)),
    "PNG with a profile": lambda: png(icc_profile=SRGB),
    "PNG with a palette": lambda: saved("PNG", drawn("P"), exif=exif(), transparency=0),
    "APNG": lambda: animated("PNG"),
    "WebP": lambda: saved("WEBP", exif=exif(), xmp=SECRET),
    "WebP with a profile": lambda: saved("WEBP", exif=exif(), icc_profile=SRGB, lossless=True),
    "WebP, animated": lambda: animated("WEBP"),
    "GIF": gif,
    "GIF, transparent": lambda: gif(transparency=0),
    "GIF, animated": lambda: gif(
        save_all=True, append_images=[drawn("P").rotate(90), drawn("RGB")], duration=[70, 80, 90], loop=3
    ),
    "AVIF": lambda: saved("AVIF", exif=exif(), xmp=SECRET),
    "AVIF, turned": lambda: saved("AVIF", exif=exif(6)),
    "HEIC": heic,
}


@pytest.mark.parametrize("name", FILES)
def test_nothing_private_stays_and_the_picture_looks_the_same(name: str, tmp_path: Path) -> None:
    content, path = FILES[name](), tmp_path / "picture"
    assert SECRET in content or "profile" in name
    path.write_bytes(content)
    before = load_picture(path)
    make_private(path)
    kept = path.read_bytes()
    assert SECRET not in kept
    assert b"2026:11:27" not in kept
    assert len(kept) <= len(content)
    after = load_picture(path)
    assert (after.size, after.tobytes()) == (before.size, before.tobytes())


@pytest.mark.parametrize("name", FILES)
def test_what_a_browser_needs_stays(name: str) -> None:
    content = FILES[name]()
    kept = without_private_facts(content)
    if "HEIC" in name:
        return  # no browser of ours shows one
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(kept)) as after:
        assert getattr(after, "n_frames", 1) == getattr(before, "n_frames", 1)
        for what in ("icc_profile", "loop"):
            assert after.info.get(what) == before.info.get(what)
        assert after.getexif().get(0x0112, 1) == before.getexif().get(0x0112, 1)
        for frame in range(getattr(before, "n_frames", 1)):
            before.seek(frame)
            after.seek(frame)
            assert after.info.get("duration") == before.info.get("duration")
            assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_private_facts_keeps_its_bytes(name: str) -> None:
    kept = without_private_facts(FILES[name]())
    assert without_private_facts(kept) == kept


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF\0\0\0\0WEBP",
        b"GIF89a",
        b"GIF89a\x01\0\x01\0\xff",
        b"\0\0\0\x18ftypheic" + bytes(12),
    ],
)
def test_what_is_no_picture_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    make_private(path)
    assert path.read_bytes() == content or not content.startswith(b"\xff\xd8")


def test_every_cut_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    for name in ("JPEG", "PNG", "WebP", "GIF", "AVIF"):
        content = FILES[name]()
        for end in range(0, len(content), max(1, len(content) // 60)):
            path.write_bytes(content[:end])
            make_private(path)
            assert path.stat().st_size <= end


def test_orientation_is_written_as_tiff_has_it() -> None:
    kept = without_private_facts(FILES["JPEG, turned"]())
    at = kept.index(b"Exif\0\0MM")
    assert struct.unpack(">HHI", kept[at + 6 + 10 : at + 6 + 18]) == (0x0112, 3, 1)
