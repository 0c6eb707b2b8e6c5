"""Which files a request may name, and which are served."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from launcher.ui.guard.bodies import UPLOAD
from launcher.ui.guard.file_data import FILE, FileData, UploadedFiles
from launcher.ui.guard.served_files import ServedFiles
from tests.ui.guard.asgi import Inner, client, exchange, scope_of

ASK = "/gradio_api/queue/join"


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def picture(uploads: Path) -> Path:
    """As Gradio stores one."""
    path = uploads / ("0123456789abcdef" * 4) / "日出 100%.png"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def strange_names(uploads: Path, picture: Path) -> list[str]:
    link = picture.with_name("link.png")
    link.symlink_to("/etc/hostname")
    (uploads / "state.json").write_text("{}")
    (picture.parent / "folder").mkdir()
    return [
        str(link),
        str(uploads),
        str(uploads / "state.json"),
        str(picture.parent),
        str(picture.parent / "folder"),
        f"{picture.parent}/folder/../{picture.name}",
        f"{picture.parent}/../{picture.parent.name}/{picture.name}",
        f"{picture}\0",
        f"{picture}/",
        f"{picture}/x",
        f" {picture}",
        str(picture.with_name("other.png")),
        str(picture.with_name("x" * 10_000)),
        os.path.relpath(picture),
        f"http://127.0.0.1/{picture}",
        f"file://{picture}",
        "/etc/hostname",
        "x" * 10_000,
        "",
    ]


async def test_a_picture_that_was_uploaded_may_be_named(uploads: Path, picture: Path) -> None:
    inner = Inner()
    file = {"path": str(picture), "meta": {"_type": "gradio.FileData"}, "orig_name": "a.png"}
    body = {"data": [{"text": "http://example.org is not fetched: it is text", "files": [file]}, None, 1.5]}
    async with client(FileData(inner, UploadedFiles(uploads))) as http:
        for url in (
            None,
            f"http://localhost:6006{FILE}{picture}",
            f"{FILE}{str(picture).replace(' ', '%20')}",
        ):
            file["url"] = url  # type: ignore[assignment]
            assert (await http.post(ASK, json=body)).status_code == 200
    assert inner.bodies[-1] == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


async def test_no_other_file_may(uploads: Path, picture: Path) -> None:
    inner = Inner()
    async with client(FileData(inner, UploadedFiles(uploads))) as http:
        for name in strange_names(uploads, picture):
            for file in ({"path": name}, {"path": name, "meta": {"_type": "gradio.FileData"}}):
                answer = await http.post(ASK, json={"data": [[{"deep": [file]}]]})
                assert answer.status_code == 400, name
                assert "is not a picture that was uploaded here" in answer.text
    assert not inner.seen


@pytest.mark.parametrize(
    "file",
    [
        {"url": "http://pictures.example/a.png"},
        {"url": "http://pictures.example/a.png", "path": None},
        {"url": "http://pictures.example/a.png", "path": "PICTURE"},
        {"url": "data:image/png;base64,AA==", "path": "PICTURE"},
        {"meta": {"_type": "gradio.FileData"}},
        {"meta": {"_type": "gradio.FileData"}, "path": 7},
        {"meta": {"_type": "gradio.FileData"}, "path": ["PICTURE"]},
    ],
)
async def test_an_address_is_no_file(uploads: Path, picture: Path, file: dict[str, Any]) -> None:
    text = json.dumps({"event_data": {"value": file}}).replace("PICTURE", str(picture))
    async with client(FileData(Inner(), UploadedFiles(uploads))) as http:
        assert (await http.post(ASK, content=text)).status_code == 400


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"[" * 500_000, b'{"a":' * 100_000, b"nonsense", b"\0", b"[1] [2]"]
)
async def test_what_is_no_json_goes_no_further(uploads: Path, body: bytes) -> None:
    inner = Inner()
    async with client(FileData(inner, UploadedFiles(uploads))) as http:
        answer = await http.post(ASK, content=body)
    assert answer.status_code == 400
    assert answer.text.startswith("The request cannot be read")
    assert not inner.seen


async def test_uploads_and_empty_bodies_pass(uploads: Path) -> None:
    inner = Inner()
    async with client(FileData(inner, UploadedFiles(uploads))) as http:
        assert (await http.post(UPLOAD, content=b"\x89PNG")).status_code == 200
        assert (await http.post("/gradio_api/cancel")).status_code == 200
        assert (await http.get("/config")).status_code == 200
    assert inner.bodies == [b"\x89PNG", b"", b""]


async def test_a_reader_that_goes_in_the_middle_asks_nothing(uploads: Path) -> None:
    inner = Inner()
    piece = {"type": "http.request", "body": b"{", "more_body": True}
    assert not await exchange(FileData(inner, UploadedFiles(uploads)), scope_of(ASK, "POST"), [piece])
    assert not inner.seen


async def test_only_uploaded_pictures_are_served(uploads: Path, picture: Path) -> None:
    inner = Inner()
    guard = ServedFiles(inner, UploadedFiles(uploads))
    for name in strange_names(uploads, picture):
        [start, body] = await exchange(guard, scope_of(f"{FILE}{name}"))
        assert start["status"] == 403, name
        assert b"is not a picture" in body["body"]
    assert not inner.seen
    [start, _] = await exchange(guard, scope_of(f"{FILE}{picture}", Range="bytes=0-1", range="bytes=0-1"))
    assert start["status"] == 200
    assert dict(start["headers"])[b"content-security-policy"].endswith(b"sandbox")
    assert not [name for name, _ in inner.seen[0]["headers"] if name == b"range"]


def test_a_file_that_an_earlier_run_had_is_the_one_of_the_same_content(uploads: Path, picture: Path) -> None:
    files = UploadedFiles(uploads)
    earlier = Path("/earlier/uploads", picture.parent.name, picture.name)
    assert files.find(earlier) == files.find(picture) == picture
    for path in (earlier.with_name("other.png"), earlier.with_name("x" * 10_000), Path("/etc/hostname")):
        assert files.find(path) is None


async def test_a_folder_below_a_link_is_the_same_folder(tmp_path: Path, uploads: Path, picture: Path) -> None:
    """The system's temporary folder is one, on macOS."""
    link = tmp_path / "link"
    link.symlink_to(uploads)
    for files in (UploadedFiles(link), UploadedFiles(uploads)):
        assert picture in files
    assert link / picture.relative_to(uploads) in UploadedFiles(link)
