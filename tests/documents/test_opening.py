"""Documents and videos become pictures, or a sentence; hostile ones get nowhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launcher.documents import MAX_BYTES, MAX_PICTURES, kind_of, open_document, opening
from launcher.documents.limits import PAGE_PX
from launcher.errors import PictureError
from launcher.images import check_upload
from tests.documents import made, taken_over


@pytest.fixture
def store(tmp_path: Path) -> Callable[[str, bytes], Path]:
    (tmp_path / "made").mkdir()

    def keep(name: str, content: bytes) -> Path:
        (tmp_path / "made" / name).write_bytes(content)
        return tmp_path / "made" / name

    return keep


Store = Callable[[str, bytes], Path]


def grey_of(picture: Path) -> float:
    with Image.open(picture) as opened:
        return float(np.asarray(opened).mean())


def longer_side(picture: Path) -> int:
    with Image.open(picture) as opened:
        return max(opened.size)


def sentence(path: Path, store: Store) -> str:
    with pytest.raises(PictureError) as refused:
        open_document(path, store)
    return str(refused.value)


def test_a_pdfs_pages_are_pictures_in_order(tmp_path: Path, store: Store) -> None:
    opened = open_document(made.pdf(tmp_path / "a report.pdf", 3), store)
    assert (opened.count, opened.is_video) == (3, False)
    assert [path.name for path in opened.pictures] == [f"a report-{number}.png" for number in (1, 2, 3)]
    for path in opened.pictures:
        check_upload(path)
        assert PAGE_PX - 2 <= longer_side(path) <= PAGE_PX
    assert grey_of(opened.pictures[0]) > grey_of(opened.pictures[1])  # a 1 has less ink than a 2


def test_of_a_long_pdf_the_first_pages(tmp_path: Path, store: Store) -> None:
    opened = open_document(made.pdf(tmp_path / "long.pdf", MAX_PICTURES + 2), store)
    assert (len(opened.pictures), opened.count) == (MAX_PICTURES, MAX_PICTURES + 2)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "h264"), ("a.mov", "hevc"), ("a.webm", "libvpx-vp9"), ("a.mkv", "mpeg4")]
)
def test_a_videos_frames_are_spread_over_it(tmp_path: Path, store: Store, name: str, codec: str) -> None:
    opened = open_document(made.video(tmp_path / name, 36, codec), store)
    assert (len(opened.pictures), opened.count, opened.is_video) == (MAX_PICTURES, 36, True)
    greys = [grey_of(path) for path in opened.pictures]
    middles = [255 * (3 * part + 1) / 36 for part in range(MAX_PICTURES)]
    assert greys == pytest.approx(middles, abs=8)


def test_a_video_of_one_frame(tmp_path: Path, store: Store) -> None:
    assert len(open_document(made.video(tmp_path / "a.mp4", 1), store).pictures) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (made.locked_pdf(), "a.pdf is locked with a password"),
        (made.empty_pdf(), "a.pdf has no pages"),
        (b"%PDF-1.7 and so on", "a.pdf is damaged"),
        (b"\x1a\x45\xdf\xa3 and so on", "a.pdf is damaged"),
        (b"\0\0\0\x18ftypisom and so on", "a.pdf is damaged"),
        (b"some notes", "a.pdf is not a document or a video that can be opened"),
        (b"", "a.pdf is not a document or a video that can be opened"),
    ],
)
def test_what_cannot_be_shown_is_told(tmp_path: Path, store: Store, content: bytes, words: str) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    assert words in sentence(tmp_path / "a.pdf", store)


def test_videos_without_pictures_and_without_end(tmp_path: Path, store: Store) -> None:
    assert "has no picture in it" in sentence(made.sound(tmp_path / "sound.mp4"), store)
    ten_hours = made.video(tmp_path / "long.mp4", 37, apart_s=Fraction(1000))
    assert "lasts 600 minutes; a video may last 10 at most" in sentence(ten_hours, store)
    whole = made.video(tmp_path / "whole.mp4", 30)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:1500])
    assert "is damaged" in sentence(tmp_path / "cut.mp4", store)


def test_a_large_file_is_not_read(tmp_path: Path, store: Store) -> None:
    with made.pdf(tmp_path / "large.pdf", 1).open("ab") as file:
        file.truncate(MAX_BYTES + 100_000)
    assert "large.pdf has 30.1 MB, more than the 30 MB a document or a video" in sentence(
        tmp_path / "large.pdf", store
    )


def test_a_pdf_that_never_ends_takes_its_time_and_no_more(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CPU_S", 2)
    (tmp_path / "a.pdf").write_bytes(made.endless_pdf())
    assert "takes too much time or memory" in sentence(tmp_path / "a.pdf", store)


@pytest.mark.parametrize("box", ["0 0 14400000 1", "0 0 0 0", "0 0 -5 nan", "-9e9 -9e9 9e9 9e9"])
def test_pages_of_any_size_stay_small(tmp_path: Path, store: Store, box: str) -> None:
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] >>"
    (tmp_path / "a.pdf").write_bytes(made.raw_pdf(made.CATALOG, made.PAGES, page))
    try:
        opened = open_document(tmp_path / "a.pdf", store)
    except PictureError:
        return
    assert longer_side(opened.pictures[0]) <= PAGE_PX


RIGHTS = """
import os, socket
from launcher.documents import reader
reader._give_up_rights(5)
def holds(action):
    try: action()
    except (OSError, MemoryError): return
    print("may", action.__name__)
def read(): open("/etc/hostname")
def connect(): socket.socket()
def grow(): bytearray(2 << 30)
def write(): os.truncate("/tmp/launcher-is-not-there", 1)
for action in (read, connect, grow, write): holds(action)
print("held")
"""


def test_the_reading_process_may_open_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", RIGHTS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("held\n", 0)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_READER", taken_over.__name__)
    monkeypatch.setattr(opening, "WALL_S", 3)


@pytest.mark.parametrize("way", [*taken_over.WAYS, "for ever"])
@pytest.mark.usefixtures("hostile")
def test_a_reading_process_that_was_taken_over_is_not_believed(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(opening, "kind_of", lambda _: way)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-")
    assert "takes too much time or memory" in sentence(tmp_path / "a.pdf", store)


def test_pictures_are_no_documents(tmp_path: Path) -> None:
    for form in ("PNG", "JPEG", "GIF", "AVIF"):
        Image.new("RGB", (9, 9)).save(tmp_path / "a", form)
        assert kind_of(tmp_path / "a") is None
    assert kind_of(tmp_path) is None
    assert kind_of(tmp_path / "none") is None
