"""What was done to a served page from outside, and worked, before there was a guard (commit c869f38): each
test is one attack. It imports nothing of the guard, so that it can be run against that commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio.processing_utils
import gradio.routes
import httpx
import pytest
from starlette.responses import PlainTextResponse

from tests.ui.scripted_page import Served

ELSEWHERE = "http://pictures.example/a.png"


@pytest.fixture
def http(page: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.url, timeout=60, trust_env=False) as client:
        yield client


def stored(page: Served) -> set[Path]:
    return {path for path in (page.folder / "uploads").rglob("*") if path.is_file()}


def endpoint(page: Served) -> str:
    return "/gradio_api/call/chat_one_1_5b"


def question(text: str, files: list[Any]) -> dict[str, Any]:
    return {"data": [{"text": text, "files": files}, "", 16, 0, 1, 0, 1, -1]}


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css", "/gradio_api/info"])
def test_a_name_that_was_rebound_to_this_machine_reads_nothing(http: httpx.Client, path: str) -> None:
    port = http.base_url.port
    answer = http.get(path, headers={"host": f"rebound.example:{port}"})
    assert answer.status_code == 421
    assert "--allow-host rebound.example" in answer.text


@pytest.mark.parametrize("path", ["/config", "/gradio_api/info"])
def test_a_page_elsewhere_reads_nothing(http: httpx.Client, path: str) -> None:
    answer = http.get(path, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_elsewhere_stores_nothing(page: Served, http: httpx.Client) -> None:
    before = stored(page)
    answer = http.post(
        "/gradio_api/upload",
        files={"files": ("a.png", b"theirs")},
        headers={"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403
    assert stored(page) == before


def test_the_file_route_fetches_nothing(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    async def fetch(url: str, _request: object) -> PlainTextResponse:
        fetched.append(url)
        return PlainTextResponse("")

    monkeypatch.setattr(gradio.routes, "secure_url_stream_response", fetch)
    for url in (ELSEWHERE, ELSEWHERE.upper().replace("EXAMPLE/A.PNG", "example/a.png"), f"/{ELSEWHERE}"):
        assert http.get(f"/gradio_api/file={url}").status_code == 403
        assert http.get(f"/gradio_api/file/{url}").status_code == 404
    assert not fetched


@pytest.mark.parametrize(
    "file",
    [
        {"path": ELSEWHERE, "meta": {"_type": "gradio.FileData"}},
        {"path": ELSEWHERE},
        {"path": "", "url": ELSEWHERE, "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}},
    ],
)
def test_a_question_fetches_nothing(
    page: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, file: dict[str, Any]
) -> None:
    fetched = []

    async def fetch(url: str, **_options: object) -> str:
        fetched.append(url)
        raise OSError

    monkeypatch.setattr(gradio.processing_utils, "async_ssrf_protected_download", fetch)
    answer = http.post(endpoint(page), json=question("seen", [file]))
    if answer.status_code == 200:
        http.get(f"{endpoint(page)}/{answer.json()['event_id']}")
    assert not fetched
    assert answer.status_code == 400


@pytest.mark.parametrize("where", ["the data", "an event's own data"])
def test_no_request_names_a_file_of_the_server_however_deep_it_hides(
    page: Served, http: httpx.Client, where: str
) -> None:
    secret = page.folder / "uploads" / "secret.txt"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("secret")
    hidden = {"path": str(own_upload(http)), "value": {"files": [{"path": str(secret)}]}}
    body: dict[str, Any] = {"data": [], "fn_index": 0, "session_hash": "attack"}
    body |= {"data": [[hidden]]} if where == "the data" else {"event_data": {"index": 0, "value": hidden}}
    answer = http.post("/gradio_api/queue/join", json=body)
    assert answer.status_code == 400
    assert "is not a picture that was uploaded here" in answer.text


def own_upload(http: httpx.Client) -> Path:
    answer = http.post("/gradio_api/upload", files={"files": ("own.png", b"own")})
    return Path(answer.json()[0])


def test_a_field_without_a_file_is_not_held_in_memory(page: Served, http: httpx.Client) -> None:
    before = stored(page)
    field = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\n'
    answer = http.post(
        "/gradio_api/upload",
        content=field + b"x" * 5_000_000 + b"\r\n--b--\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 400
    assert answer.text.startswith("The upload cannot be read")
    assert stored(page) == before


@pytest.mark.parametrize("says_length", [True, False])
def test_a_body_without_end_is_not_read(page: Served, http: httpx.Client, says_length: bool) -> None:
    content = json.dumps(question("<" * 3_000_000, [])).encode()
    pieces = iter([content[:1_000_000], content[1_000_000:]])
    headers = {"content-type": "application/json"}
    answer = http.post(endpoint(page), content=content if says_length else pieces, headers=headers)
    assert answer.status_code == 413


def test_parts_under_other_names_are_not_kept(page: Served, http: httpx.Client) -> None:
    before = stored(page)
    parts = [(f"other{number}", ("a.png", b"x" * 1000)) for number in range(50)]
    assert http.post("/gradio_api/upload", files=parts).status_code == 400
    assert stored(page) == before


def test_a_thousand_files_in_one_request_are_not_kept(page: Served, http: httpx.Client) -> None:
    before = stored(page)
    parts = [("files", (f"{number}.png", str(number).encode())) for number in range(1000)]
    assert http.post("/gradio_api/upload", files=parts).status_code == 400
    assert stored(page) == before


@pytest.mark.parametrize(
    "disposition",
    [
        'name="files"',
        'name="files"; filename=""',
        'name="files"; filename=".."',
        'name="files"; filename="\0"',
        f'name="files"; filename="{"x" * 5000}"',
        'filename="a.png"',
        "",
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=b; charset=unicode_escape",
        "multipart/form-data; boundary=b; charset=idna",
        "multipart/form-data; boundary=",
        "multipart/form-data",
        "text/plain",
    ],
)
def test_no_upload_ends_in_an_error_of_the_server(http: httpx.Client, disposition: str, kind: str) -> None:
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
    answer = http.post(
        "/gradio_api/upload?upload_id=x",
        content=head + b"x\r\n--b--\r\n",
        headers={"content-type": kind},
    )
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("wanted", ["bytes=0-1-2", "bytes=0-1,3-4", "bytes=5-2", "bytes=0-0", "bytes=a-"])
def test_a_file_is_served_whole_and_tells_nothing_of_the_request(http: httpx.Client, wanted: str) -> None:
    path = own_upload(http)
    answer = http.get(f"/gradio_api/file={path}", headers={"range": wanted, "x-secret": "secret"})
    assert answer.status_code == 200
    assert answer.content == b"own"
    assert "x-secret" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/token"),
        ("GET", "/gradio_api/deep_link?session_hash=x"),
        ("POST", "/gradio_api/reset"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/gradio_api/queue/status"),
        ("GET", "/gradio_api/proxy=https://x.hf.space/a"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/process_recording"),
        ("GET", "/monitoring"),
        ("POST", "/login"),
        ("OPTIONS", "/config"),
        ("PUT", "/"),
    ],
)
def test_what_the_page_does_not_need_is_not_there(http: httpx.Client, method: str, path: str) -> None:
    with http.stream(method, path) as answer:
        assert answer.status_code == 404
        assert answer.read().decode().startswith("There is nothing here under")
