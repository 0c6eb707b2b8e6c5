"""The served page as programs see it: endpoints, files, headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.ui.scripted_page import Served


@pytest.fixture(scope="module")
def client(page: Served) -> Iterator[Client]:
    client = Client(page.url, verbose=False)
    yield client
    client.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (20, 10), "red").save(tmp_path / "red.png")
    return tmp_path / "red.png"


def ask(client: Client, text: str, *files: Path, name: str = "/chat_one_1_5b", **options: Any) -> str:
    message = {"text": text, "files": [handle_file(str(file)) for file in files]}
    return str(client.predict(message, api_name=name, **options))


def test_a_program_asks_about_a_picture(client: Client, picture: Path) -> None:
    assert ask(client, "what is <b>this</b>", picture) == "[red.png] what is <b>this</b> "


def test_an_answer_streams(client: Client) -> None:
    job = client.submit({"text": "/pace 1000 500", "files": []}, api_name="/chat_one_1_5b")
    texts = list(job)
    assert len(texts) > 1
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))  # noqa: RUF007
    assert texts[-1].split()[-1] == "499"


def test_options_reach_the_model(client: Client) -> None:
    assert ask(client, "one two three", max_new_tokens=2) == "one two "


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("/fail on <purpose>", "/chat_one_1_5b", "The script failed: on <purpose>\nAsk something else."),
        (" ", "/chat_one_1_5b", "There is no question yet."),
    ],
)
def test_a_program_is_told_what_failed(client: Client, text: str, name: str, message: str) -> None:
    with pytest.raises(AppError) as raised:
        ask(client, text, name=name)
    assert message in str(raised.value)


def test_a_text_model_refuses_pictures(client: Client, picture: Path) -> None:
    with pytest.raises(AppError, match="two reads text alone"):
        ask(client, "seen?", picture, name="/chat_two")


def test_a_file_that_is_no_picture_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "fake.png").write_text("text")
    with pytest.raises(AppError, match=r"fake.png is not a picture that can be read"):
        ask(client, "seen?", tmp_path / "fake.png")


def test_nothing_that_a_person_does_on_the_page_asks_gradios_server(page: Served) -> None:
    """A page whose Gradio has once not reached it hears nothing any more."""
    events = httpx.get(f"{page.url}/config").raise_for_status().json()["dependencies"]
    asking = [event for event in events if event["backend_fn"] and event["api_visibility"] == "private"]
    assert [name for event in asking for _, name in event["targets"]] == ["load"]


def test_only_the_chats_are_offered_to_programs(client: Client) -> None:
    info = client.view_api(return_format="dict")
    assert set(info["named_endpoints"]) == {"/chat_one_1_5b", "/chat_two"}
    assert info["unnamed_endpoints"] == {}


@pytest.mark.parametrize("path", ["/etc/passwd", str(Path(__file__))])
def test_no_other_file_is_served(page: Served, path: str) -> None:
    assert httpx.get(f"{page.url}/gradio_api/file={path}").status_code == 403


def test_another_file_is_not_taken_for_a_picture(page: Served) -> None:
    with httpx.Client(base_url=f"{page.url}/gradio_api", timeout=20) as http:
        file = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
        answer = http.post(
            "/call/chat_one_1_5b", json={"data": [{"text": "q", "files": [file]}, "", 5, 0, 1, 0, 1, -1]}
        )
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("/etc/passwd is not a picture that was uploaded here")


def test_the_page_may_load_nothing_from_elsewhere(page: Served) -> None:
    response = httpx.get(page.url)
    assert response.headers["content-security-policy"].startswith("default-src 'self' data: blob:;")
    assert "http" not in response.headers["content-security-policy"]
    assert len(response.content) == int(response.headers.get("content-length", len(response.content)))
    assert '"zh-TW" : "zh-CN"' in response.text
    assert response.text.index("window.launcher") < response.text.index("window.gradio_config")


@pytest.mark.parametrize("path", ["/monitoring", "/gradio_api/runs"])
def test_what_is_not_needed_is_off(page: Served, path: str) -> None:
    response = httpx.get(page.url + path)
    assert response.status_code in (403, 404)
