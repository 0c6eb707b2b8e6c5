"""A name server that says one thing to who judges and another to who connects, and hosts of several
addresses. The network is this machine: an address outside is played by a port here, and every connection is
written down."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import httpx
import pytest

from launcher.cli.picture_files import picture_files
from launcher.downloads import Source, find_repository, new_client
from launcher.errors import CheckpointError, LauncherError, PictureError

HUB, STORE, INSIDE = "9.9.9.9", "8.8.8.8", "127.0.0.1"
CONNECT_TCP = anyio.connect_tcp
CERTIFICATE = Path(__file__).with_name("hub.example.pem")
"""With its key, for hub.example and for a hundred years; of no use to anybody."""


class _Played(BaseHTTPRequestHandler):
    """Leads everybody to a place in the store; says nothing else."""

    heard: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.heard.append((self.headers["Host"], self.path))
        self.send_response(302 if self.path != "/store" else 404)
        self.send_header("Location", "http://store.example/store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def listening(tls: bool = False) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    heard: list[tuple[str, str]] = []
    handler = type("Handler", (_Played,), {"heard": heard})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, heard
        server.shutdown()
        thread.join()


class Network:
    """Names with what they mean each time they are asked for, and who listens at an address."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.ports: dict[str, int] = {}
        self.connected: list[str] = []

    def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        meanings = self.names.get(host, [[host]])
        found = meanings.pop(0) if len(meanings) > 1 else meanings[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port or 0)) for each in found]

    def connect(self, place: tuple[str, int], timeout: Any = None, *_: Any, **__: Any) -> socket.socket:
        address, _port = self.getaddrinfo(*place)[0][4]
        self.connected.append(address)
        if address not in self.ports:
            raise ConnectionRefusedError(111, "Connection refused")
        connection = socket.socket()
        connection.connect(("127.0.0.1", self.ports[address]))
        return connection

    async def connect_async(self, remote_host: str, remote_port: int, **options: Any) -> Any:
        """The same for event loops."""
        address, _port = self.getaddrinfo(remote_host, remote_port)[0][4]
        self.connected.append(address)
        if address not in self.ports:
            raise ConnectionRefusedError(111, "Connection refused")
        return await CONNECT_TCP("127.0.0.1", self.ports[address], **options)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    monkeypatch.setattr(socket, "getaddrinfo", network.getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", network.connect)
    monkeypatch.setattr(anyio, "connect_tcp", network.connect_async)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    return network


def ask_hub(scheme: str, monkeypatch: pytest.MonkeyPatch) -> LauncherError:
    monkeypatch.setenv("MODELSCOPE_DOMAIN", f"{scheme}://hub.example")
    with new_client() as client, pytest.raises(CheckpointError) as told:
        find_repository(client, Source("modelscope", "org/model", again="launcher pull model"))
    return told.value


def ask_picture(scheme: str, _monkeypatch: pytest.MonkeyPatch) -> LauncherError:
    with picture_files(allow_url=True) as files, pytest.raises(PictureError) as told:
        files.find([f"{scheme}://hub.example/a.png"], Path())
    return told.value


Ask = Callable[[str, pytest.MonkeyPatch], LauncherError]
BOTH = pytest.mark.parametrize("ask", [ask_hub, ask_picture])


@BOTH
def test_what_was_judged_is_what_is_connected_to(
    network: Network, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    network.names = {"hub.example": [[HUB]], "store.example": [[STORE], [INSIDE]]}
    with listening() as (hub, _), listening() as (store, in_store), listening() as (inside, heard_inside):
        network.ports = {HUB: hub, STORE: store, INSIDE: inside}
        ask("http", monkeypatch)
    assert heard_inside == []
    assert in_store == [("store.example", "/store")]
    assert network.connected == [HUB, STORE]


@BOTH
def test_a_hub_does_not_become_one_inside(
    network: Network, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """One that did might lead on to others inside."""
    network.names = {"hub.example": [[HUB], [INSIDE]], "store.example": [[INSIDE]]}
    with listening() as (hub, _), listening() as (inside, heard_inside):
        network.ports = {HUB: hub, INSIDE: inside}
        told = ask("http", monkeypatch)
    assert heard_inside == []
    assert "leads to http://store.example/store" in told.message


@BOTH
def test_of_several_addresses_the_first_that_listens(
    network: Network, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    network.names = {"hub.example": [["1.1.1.1", HUB]], "store.example": [["1.0.0.1", STORE]]}
    with listening() as (hub, heard), listening() as (store, in_store):
        network.ports = {HUB: hub, STORE: store}
        ask("http", monkeypatch)
    assert network.connected == ["1.1.1.1", HUB, "1.0.0.1", STORE]
    assert [host for host, _ in heard + in_store] == ["hub.example", "store.example"]


def test_a_host_that_no_address_answers_for_is_looked_up_anew(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.names = {"hub.example": [["1.1.1.1"], [HUB]], "store.example": [[STORE]]}
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://hub.example")
    with listening() as (hub, heard), listening() as (store, _), new_client() as client:
        network.ports = {HUB: hub, STORE: store}
        for words in ("is not reached: ", "knows no model"):
            with pytest.raises(CheckpointError) as told:
                find_repository(client, Source("modelscope", "org/model", again="again"))
            assert words in told.value.message
    assert len(heard) == 1


@pytest.mark.parametrize(
    "endpoint", ["ftp://hub.example", "://hub.example", "http://", "http://xn--", "http://\udcff"]
)
def test_what_is_no_web_address_is_not_looked_up(
    network: Network, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("MODELSCOPE_DOMAIN", endpoint)
    with new_client() as client, pytest.raises(CheckpointError, match="is not an address that can be asked"):
        find_repository(client, Source("modelscope", "org/model", again="again"))
    assert network.connected == []


@BOTH
@pytest.mark.parametrize("trusted", [True, False])
def test_the_certificate_is_the_names(
    network: Network, monkeypatch: pytest.MonkeyPatch, ask: Ask, trusted: bool
) -> None:
    network.names = {"hub.example": [[HUB]], "store.example": [[STORE]]}
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with listening(tls=True) as (hub, heard), listening() as (store, in_store):
        network.ports = {HUB: hub, STORE: store}
        told = ask("https", monkeypatch)
    assert [host for host, _ in heard] == (["hub.example"] if trusted else [])
    assert len(in_store) == len(heard)
    assert trusted or "CERTIFICATE_VERIFY_FAILED" in told.message


def test_another_names_certificate_is_refused(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is trusted, and the same address has shown it for its own name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    network.names = {"hub.example": [[HUB]], "other.example": [[HUB]]}
    with listening(tls=True) as (hub, heard), new_client() as client:
        network.ports = {HUB: hub, STORE: hub}
        assert client.get("https://hub.example/store").status_code == 404
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            client.get("https://other.example/store")
    assert heard == [("hub.example", "/store")]
