"""Small files that are made to be walked for hours. Each is a megabyte; a walker that looks at its bytes more
than a few times hangs here, with the lock on pictures held, until the suite's own bound on a test."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest

from launcher.errors import PictureError
from launcher.images import load_picture, make_private
from tests import picture_variants as files

SIZE = 1_000_000


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def _heic(places: bytes) -> bytes:
    """Boxes alone: one item of EXIF, and where it is said to lie."""
    items = bytes(5) + b"\1" + _box(b"infe", b"\2\0\0\0\0\1\0\0Exif\0")
    boxes = _box(b"iinf", items) + _box(b"iloc", places)
    return _box(b"ftyp", b"heic\0\0\0\0mif1heic") + _box(b"meta", bytes(4) + boxes)


def _hostile() -> dict[str, bytes]:
    picture = files.picture()
    png, jpeg = files.saved(picture, "PNG"), files.saved(picture, "JPEG")
    gif, webp = files.saved(picture, "GIF"), files.saved(picture, "WEBP")
    head, rest = png[:33], png[33:]
    half = struct.pack(">I", SIZE // 2)
    palette = 13 + 768  # of a GIF: its head and 256 colours
    whole_file = struct.pack(">II", 16, SIZE // 2)
    return {
        "jpeg-of-fill-bytes": b"\xff\xd8" + b"\xff" * SIZE,
        "jpeg-that-ends-in-fill-bytes": jpeg[:-2] + b"\xff" * SIZE,
        "jpeg-of-tables": jpeg[:2] + b"\xff\xc4\0\2" * (SIZE // 4) + jpeg[2:],
        "png-wrong-checksums": head + b"\0\0\0\0abCdxxxx" * (SIZE // 12),
        "png-wrong-checksums-before-pixels": head + b"\0\0\0\0abCdxxxx" * (SIZE // 12) + rest,
        "png-wrong-lengths": head + (half + b"tRNSxxxx") * (SIZE // 12) + rest,
        "png-wrong-lengths-between": head
        + (files.chunk(b"tRNS", bytes(6)) + half + b"abCdxxxx") * (SIZE // 30)
        + rest,
        "gif-comments": gif[:palette] + b"!\xfe\1a\0" * (SIZE // 5) + gif[palette:],
        "gif-one-comment": gif[:palette] + b"!\xfe" + b"\1a" * (SIZE // 2) + b"\0" + gif[palette:],
        "webp-empty-chunks": webp[:12] + b"abcd\0\0\0\0" * (SIZE // 8) + webp[12:],
        "heic-parts-without-places": _heic(
            bytes(6) + struct.pack(">H", 65_535) + b"\0\1\0\0\xff\xff" * 65_535
        ),
        "heic-overlapping-parts": _heic(
            bytes(4) + b"\x44\0\0\1\0\1\0\0" + struct.pack(">H", 65_535) + whole_file * 65_535
        ),
    }


@pytest.mark.parametrize("name", _hostile())
def test_a_small_file_is_walked_in_no_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(_hostile()[name])
    with contextlib.suppress(PictureError):
        load_picture(path)
    make_private(path)


@pytest.mark.parametrize("comment", [b"!\xfe\3abc\0", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0", b"!\x01\0"])
def test_what_stands_before_a_gifs_picture_never_decides(tmp_path: Path, comment: bytes) -> None:
    gif = files.saved(files.picture("P"), "GIF", transparency=3)
    at = 13 + (3 << (gif[10] & 7) + 1)
    seen = []
    for content in (gif, gif[:at] + comment * 99 + gif[at:]):
        (tmp_path / "picture").write_bytes(content)
        seen.append(load_picture(tmp_path / "picture").tobytes())
    assert seen[0] == seen[1]


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
@pytest.mark.parametrize("length", [0, 3, 300])
def test_transparency_that_does_not_fit_is_left_out(tmp_path: Path, mode: str, length: int) -> None:
    """As browsers do (libpng: "invalid" and "out of place" are warnings)."""
    png = files.saved(files.picture(mode), "PNG")
    begin = png.index(b"IDAT") - 4
    wrong = png[:begin] + files.chunk(b"tRNS", bytes(length)) + png[begin:]
    if mode == "P" and length == 3:
        return  # a palette's first three colours may be transparent
    (tmp_path / "picture").write_bytes(wrong)
    (tmp_path / "whole").write_bytes(png)

    assert load_picture(tmp_path / "picture").tobytes() == load_picture(tmp_path / "whole").tobytes()
