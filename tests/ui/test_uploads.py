"""Uploads that do not end well: what a browser is told, and what is left behind."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from launcher.images import DEFAULT_LIMITS
from launcher.ui.uploads import MAX_UPLOAD_BYTES
from tests.ui.scripted_page import Served

FULL_BYTES = 1_000_000


def upload(page: Served, content: bytes, language: str) -> httpx.Response:
    return httpx.post(
        f"{page.url}/gradio_api/upload",
        files={"files": ("big.png", content)},
        headers={"accept-language": language},
        timeout=60,
    )


def stored(page: Served) -> list[Path]:
    return [path for path in (page.folder / "uploads").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "A picture may have at most 20 MB\nMake the picture smaller"),
        ("zh-CN", "每张图片最大 20 MB\n请缩小图片"),
    ],
)
def test_a_file_far_above_the_limit_is_refused(page: Served, language: str, sentence: str) -> None:
    before = stored(page)
    answer = upload(page, b"\0" * (MAX_UPLOAD_BYTES + 1), language)
    assert answer.status_code == 413
    assert answer.text.startswith(sentence)
    assert stored(page) == before


def test_the_limit_leaves_room_for_the_pictures_own_message() -> None:
    assert DEFAULT_LIMITS.max_bytes < MAX_UPLOAD_BYTES


@pytest.fixture
def full_disk(page: Served, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The page's temporary folder on a disk of 1 MB, or with the mount options that the test gives."""
    folder = page.folder / "uploads"
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    options = getattr(request, "param", f"size={FULL_BYTES}")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The server has no room left for pictures"), ("zh-CN", "服务器放不下图片了")],
)
def test_a_full_disk_is_told_and_keeps_no_half_file(
    page: Served, full_disk: Path, language: str, sentence: str
) -> None:
    answer = upload(page, os.urandom(3 * FULL_BYTES), language)
    assert answer.status_code == 507
    assert answer.text.startswith(sentence)
    assert not stored(page)
    assert upload(page, os.urandom(FULL_BYTES // 2), language).status_code == 200


@pytest.mark.parametrize("size", [1, 5000, 100_000])
def test_a_disk_without_a_byte_left(page: Served, full_disk: Path, size: int) -> None:
    filler = full_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    answer = upload(page, b"x" * size, "en")
    assert answer.status_code == 507
    assert answer.text.startswith("The server has no room left for pictures")
    assert stored(page) == [filler]


@pytest.mark.parametrize("full_disk", [f"nr_inodes={count}" for count in (1, 2, 3)], indirect=True)
def test_a_disk_that_takes_no_more_files(page: Served, full_disk: Path) -> None:
    """The folder itself is one, the temporary file the next, then the picture's own folder."""
    answer = upload(page, b"small", "en")
    if answer.status_code != 200:
        assert answer.status_code == 507
        assert not list(full_disk.iterdir())
        return
    assert len(stored(page)) == 1


def test_an_upload_that_is_cut_leaves_nothing(page: Served) -> None:
    before = set(stored(page))
    host, port = page.url.removeprefix("http://").split(":")
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="files"; filename="half.png"\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + os.urandom(1_000_000))
        wait_for(lambda: set(stored(page)) - before)
    wait_for(lambda: set(stored(page)) == before)


def wait_for(true: object, bound_s: float = 60) -> None:
    end_s = time.monotonic() + bound_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_pictures_are_stored_below_the_pages_own_folder(page: Served) -> None:
    [path] = upload(page, b"small", "en").json()
    assert Path(path).is_relative_to(page.folder / "uploads")
    assert not [file for file in stored(page) if file.name.startswith(tempfile.gettempprefix())]


def test_where_a_picture_was_taken_is_shown_to_nobody(page: Served) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x010E], exif[0x0112] = "51.5007 N 0.1246 W", 6
    Image.new("RGB", (40, 30), "red").save(file, "JPEG", exif=exif)
    [path] = upload(page, file.getvalue(), "en").json()
    served = httpx.get(f"{page.url}/gradio_api/file={path}", timeout=60).raise_for_status().content
    assert b"51.5007" in file.getvalue()
    assert b"51.5007" not in served
    with Image.open(io.BytesIO(served)) as picture:
        assert picture.getexif() == {0x0112: 6}
