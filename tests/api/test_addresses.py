"""Pictures that programs give by their address: which are fetched, and what hosts may do wrong. The hosts
are a server on this machine, which plays them; outside there is nothing."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from launcher.api import addresses
from launcher.errors import PictureError
from launcher.linked_pictures import connections, fetching
from launcher.linked_pictures.leave import Leave
from tests.api.test_clients import PICTURE
from tests.ui.scripted_page import Served, scripted, served

LINES: list[str] = []
DRIPPING, LEFT = threading.Event(), threading.Event()
LIMIT = 20_000_000


class _Host(BaseHTTPRequestHandler):
    """What each path of the server does."""

    def do_GET(self) -> None:
        LINES.append(self.path)
        match self.path.partition("?")[0]:
            case "/a.png":
                self._send(PICTURE.read_bytes())
            case "/page.html":
                self._send(b"<html>secret</html>")
            case "/moved":
                self._send(b"", 302, Location="/a.png")
            case "/inside":
                self._send(b"", 302, Location=f"http://127.0.0.1:{self.server.server_address[1]}/a.png")
            case "/metadata":
                self._send(b"", 302, Location="http://169.254.169.254/latest/meta-data/")
            case "/large.png":
                self._send(bytes(LIMIT + 1))
            case "/drip.png":
                self._drip()
            case _:
                self._send(b"secret", 404)

    def _send(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with io.BytesIO(content) as pieces:
            try:
                while piece := pieces.read(1 << 20):
                    self.wfile.write(piece)
            except OSError:  # the reader has left, as it should
                self.close_connection = True

    def _drip(self) -> None:
        """A byte now and then, and no end, until the reader leaves."""
        self.send_response(200)
        self.end_headers()
        DRIPPING.set()
        try:
            while not LEFT.wait(0.02):
                self.wfile.write(b"x")
        except OSError:
            LEFT.set()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _nothing_heard() -> None:
    LINES.clear()
    DRIPPING.clear()
    LEFT.clear()


@pytest.fixture(scope="module")
def lenient(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A launcher that fetches from outside, and from ``localhost`` at the host's port."""
    folder = tmp_path_factory.mktemp("addresses")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        models = [scripted("one", folder), scripted("two", folder, kind="text")]
        with served(models, folder, leave=Leave(True, (("localhost", port),))) as page:
            yield page


@pytest.fixture(scope="module")
def client(lenient: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{lenient.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(client: OpenAI, *addresses: str, model: str = "one") -> str:
    shown: list[Any] = [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
    content = [*shown, {"type": "text", "text": "what is it?"}]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    return str(answer.choices[0].message.content)


def refused(client: OpenAI, *addresses: str, model: str = "one") -> openai.BadRequestError:
    with pytest.raises(openai.BadRequestError) as told:
        ask(client, *addresses, model=model)
    return told.value


def test_a_picture_from_a_host_that_is_allowed_is_seen(client: OpenAI, port: int) -> None:
    assert ask(client, f"http://localhost:{port}/a.png") == "[picture-1] what is it? "
    assert ask(client, f"http://LOCALHOST:{port}/moved") == "[picture-1] what is it? "
    assert LINES == ["/a.png", "/moved", "/a.png"]


def test_one_address_is_asked_once_a_request(client: OpenAI, port: int) -> None:
    twice = [f"http://localhost:{port}/a.png"] * 2
    assert ask(client, *twice) == "[picture-1] [picture-2] what is it? "
    assert LINES == ["/a.png"]


INSIDE = [
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "0.0.0.0",
    "10.1.2.3",
    "192.168.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "224.0.0.1",
    "[::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a00:1]",
    "[2002:a00:1::]",
]


@pytest.mark.parametrize("host", INSIDE)
def test_nothing_inside_is_asked(client: OpenAI, port: int, host: str) -> None:
    error = refused(client, f"http://{host}:{port}/a.png")
    assert "in the network of the machine that runs the launcher" in error.message
    assert "serve --allow-url-from" in error.message
    assert error.param == "messages.0.content.0.image_url.url"
    assert error.code == "invalid_image"
    assert LINES == []


def test_a_host_that_is_allowed_at_one_port_is_not_asked_at_another(client: OpenAI, port: int) -> None:
    assert "in the network" in refused(client, f"http://localhost:{port + 1}/a.png").message


@pytest.mark.parametrize("path", ["/inside", "/metadata"])
def test_where_an_address_leads_is_judged_as_the_address(client: OpenAI, port: int, path: str) -> None:
    assert "in the network" in refused(client, f"http://localhost:{port}{path}").message
    assert [path] == LINES


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none", "could not be fetched: the server said 404"),
        ("/page.html", "is not a picture"),
        ("/large.png", "is larger than the 20 MB a picture may have"),
    ],
)
def test_what_a_host_may_do_wrong(client: OpenAI, port: int, path: str, words: str) -> None:
    error = refused(client, f"http://localhost:{port}{path}")
    assert words in error.message
    assert "secret" not in error.message


def test_bytes_that_drip_end_in_time(client: OpenAI, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FETCH_S", 1.0)
    assert "took longer than 1 s to fetch" in refused(client, f"http://localhost:{port}/drip.png").message


def test_a_client_that_leaves_ends_the_fetching(lenient: Served, port: int) -> None:
    body = {"model": "one", "messages": [{"role": "user", "content": [picture(port, "/drip.png")]}]}
    connection = HTTPConnection(lenient.url.removeprefix("http://"))
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    assert DRIPPING.wait(60)
    connection.close()
    assert LEFT.wait(30)  # before the fetching's own end


def test_pictures_of_one_request_have_a_bound_together(
    client: OpenAI, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MOST_BYTES", 2 * PICTURE.stat().st_size)
    three = [f"http://localhost:{port}/a.png?{number}" for number in range(3)]
    assert ask(client, *three[:2]) == "[picture-1] [picture-2] what is it? "
    assert "MB together" in refused(client, *three).message


def picture(port: int, path: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"http://localhost:{port}{path}"}}


def test_a_model_without_eyes_has_nothing_fetched(client: OpenAI, port: int) -> None:
    assert "reads text alone" in refused(client, f"http://localhost:{port}/a.png", model="two").message
    assert LINES == []


async def test_what_was_judged_is_what_is_connected_to(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means an address outside for who judges, and this machine for who asks again."""
    meanings, connected = [("9.9.9.9",), ("127.0.0.1",)], []

    def looked_up(_host: str) -> tuple[str, ...]:
        return meanings.pop(0)

    def noted(request: httpx.Request, address: str) -> httpx.Request:
        connected.append(address)
        return connections_addressed(request, "127.0.0.1")

    connections_addressed = connections.addressed
    monkeypatch.setattr("launcher.downloads.names._looked_up", looked_up)
    monkeypatch.setattr(connections, "addressed", noted)
    content = await fetching.fetched(f"http://pictures.example:{port}/a.png", Leave())
    assert content == PICTURE.read_bytes()
    assert connected == ["9.9.9.9"]


async def test_a_name_that_means_anything_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.downloads.names._looked_up", lambda _host: ("9.9.9.9", "10.0.0.1"))
    for proxy in ("", "http://127.0.0.1:1"):  # behind a proxy, too, as far as the name is known here
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(PictureError, match="in the network of the machine"):
            await fetching.fetched("http://pictures.example/a.png", Leave())


async def test_the_environments_proxy_is_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(PictureError, match="the server said 404"):
        await fetching.fetched("http://9.9.9.9/through.png", Leave())
    assert LINES == ["http://9.9.9.9/through.png"]


async def test_hosts_that_are_named_alone() -> None:
    with pytest.raises(PictureError, match=r"pictures come from \[::1\]:8080, nas alone"):
        await fetching.fetched("http://9.9.9.9/a.png", Leave(False, (("::1", 8080), ("nas", None))))
