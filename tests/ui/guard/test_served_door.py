"""A page with a password, as programs reach it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from launcher.door import Credentials, Door
from launcher.ui.guard.routes import OPEN
from launcher.ui.headers import HEADERS
from tests.ui.scripted_page import Served, scripted, served

RIGHT = ("ada", "geheim")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        door = Door(credentials=Credentials(*RIGHT))
        with served([scripted("one", folder)], folder, door=door) as page:
            yield page


def test_gradios_own_client_asks_with_a_picture(locked: Served, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes((Path(__file__).parents[3] / "docs/pictures/page.png").read_bytes())
    client = Client(locked.url, httpx_kwargs={"auth": RIGHT}, verbose=False)
    message = {"text": "seen", "files": [handle_file(str(picture))]}
    assert client.predict(message, api_name="/chat_one") == "[a.png] seen "
    client.close()


@pytest.mark.parametrize("route", OPEN)
def test_no_route_is_open_without_the_password(locked: Served, route: str) -> None:
    method, path = route.split(" ")
    for auth in (None, ("ada", "wrong")):
        answer = httpx.request(method, locked.url + path, auth=auth)
        assert answer.status_code in (401, 429)


@pytest.mark.parametrize(
    "path", ["/", "/config", "/nowhere", "/assets/nowhere", "/gradio_api/file=/etc/passwd"]
)
def test_every_answer_has_the_headers_once(locked: Served, path: str) -> None:
    for headers in ({}, {"host": "evil.example"}, {"authorization": "Basic x"}):
        answer = httpx.get(locked.url + path, headers=headers)
        raw = [name.lower() for name, _ in answer.headers.raw]
        for name, value in HEADERS:
            assert answer.headers[name.decode()] == value.decode()
            assert raw.count(name) == 1
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
