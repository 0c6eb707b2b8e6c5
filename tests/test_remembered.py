"""What was found out about a picture file counts for as long as the file is what it was."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

import launcher.images
from launcher.errors import PictureError
from launcher.images import PictureLimits, check_upload, content_key, remembered
from launcher.images.remembered import REMEMBERED_FILES, Remembered, mark_of


@pytest.fixture(autouse=True)
def soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 ms instead of a second."""
    monkeypatch.setattr(remembered, "SETTLED_NS", 20_000_000)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file that has been left alone for long."""
    path = tmp_path / "picture.png"
    Image.new("RGB", (8, 8), "red").save(path)
    return settled(path)


def settled(path: Path) -> Path:
    """Waits until the file's own times are old enough to be told by; they cannot all be set."""
    while mark_of(path) is None:
        time.sleep(0.005)
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read."""
    read, really = list[Path](), launcher.images.read_file

    def read_file(path: Path, limits: PictureLimits) -> bytes:
        read.append(path)
        return really(path, limits)

    monkeypatch.setattr(launcher.images, "read_file", read_file)
    return read


def test_a_file_is_checked_and_read_once(picture: Path, reads: list[Path]) -> None:
    for _ in range(3):
        check_upload(picture)
    assert reads == [picture]
    keys = {content_key(picture) for _ in range(3)}
    assert len(keys) == 1
    assert reads == [picture, picture]


def test_other_limits_are_another_question(picture: Path) -> None:
    check_upload(picture)
    with pytest.raises(PictureError, match="more than"):
        check_upload(picture, PictureLimits(max_bytes=10))
    with pytest.raises(PictureError, match="more than"):
        content_key(picture, PictureLimits(max_bytes=10))


def test_the_key_tells_the_content_and_nothing_else(picture: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(picture, tmp_path / "copy.jpg"))
    other = tmp_path / "other.png"
    Image.new("RGB", (8, 8), "blue").save(other)
    assert content_key(copy) == content_key(picture) != content_key(other)


def test_a_file_that_was_changed_is_looked_at_anew(picture: Path) -> None:
    before = content_key(picture)
    check_upload(picture)
    facts = picture.stat()
    picture.write_bytes(bytes(facts.st_size))
    os.utime(picture, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # as large and, it says, as old as before
    assert content_key(picture) != before
    with pytest.raises(PictureError):
        check_upload(picture)


def test_a_refusal_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"no picture")
    settled(path)
    for _ in range(2):
        with pytest.raises(PictureError):
            check_upload(path)


def test_what_is_no_file_or_was_changed_just_now_has_no_mark(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(picture)
    (tmp_path / "new").touch()
    assert mark_of(picture) == mark_of(picture) != mark_of(picture, 1)
    monkeypatch.setattr(remembered, "SETTLED_NS", 1_000_000_000)
    for name in ("link", "new", "nothing", ".", "\\0"):
        assert mark_of(tmp_path / name) is None
    with pytest.raises(PictureError):
        content_key(tmp_path / "link")


def test_only_so_many_files_are_remembered() -> None:
    kept = Remembered[int]()
    for number in range(REMEMBERED_FILES + 1):
        assert kept.get(0) == (0 if number else None)
        kept.keep(number, number)
    assert kept.get(0) == 0
    assert kept.get(1) is None
