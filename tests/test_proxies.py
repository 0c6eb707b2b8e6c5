"""Proxies from the environment, however they are written: used where they can be, and told of where not."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launcher.downloads.client import new_client
from launcher.downloads.names import Names
from launcher.errors import LauncherError, MissingPart
from launcher.proxies import proxy_for

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
HAS_SOCKS = importlib.util.find_spec("socksio") is not None


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class _Said(BaseHTTPRequestHandler):
    """Answers with what it was asked for: a proxy is asked for a whole address, a server for a path."""

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Said) as listening:
        Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield listening.server_port
        listening.shutdown()


def got(address: str) -> str:
    with new_client(Names(), timeout=20) as client:
        return client.get(address).text


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:{port}", " http://a:b@127.0.0.1:{port}/ ", "127.0.0.1:{port}"]
)
def test_a_proxy_is_asked(server: int, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value.format(port=server))
    assert got("http://hub.invalid/a") == "http://hub.invalid/a"


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("*", "a.org", True),
        ("a.org", "a.org", True),
        ("a.org", "www.a.org", True),
        ("a.org", "ba.org", False),
        (".a.org", "www.a.org", True),
        ("*.a.org", "www.a.org", True),
        ("A.ORG", "a.org", True),
        ("b.org a.org", "a.org", True),
        (" b.org , a.org ", "a.org", True),
        ("a.org:443", "a.org", True),
        ("a.org:80", "a.org", False),
        ("https://a.org", "a.org", True),
        ("::1", "[::1]", True),
        ("[::1]", "[::1]", True),
        ("[::1]:443", "[::1]", True),
        ("[::1]:80", "[::1]", False),
        ("fd00::/8", "[fd00::7]", True),
        ("fd00::/8", "[fe80::7]", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "a.org", False),
        ("localhost,127.0.0.1,::1,fe80::%eth0,host:port,[", "a.org", False),
        ("", "a.org", False),
        (",,.,*.", "a.org", False),
    ],
)
def test_who_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p.invalid:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, no_proxy)
        assert (proxy_for(httpx.URL(f"https://{host}/x")) is None) is direct
        monkeypatch.delenv(name)


def test_a_variable_in_lower_case_hides_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://upper.invalid")
    monkeypatch.setenv("https_proxy", "http://lower.invalid")
    found = proxy_for(httpx.URL("https://a.org"))
    assert found is not None
    assert found.variable == "https_proxy"
    monkeypatch.setenv("https_proxy", "")
    assert proxy_for(httpx.URL("https://a.org")) is None


@pytest.mark.parametrize(
    "value",
    ["socks4://h:1", "ftp://h:1", "http://h:port", "http://", "http://[::1", "nonsense://:s3cret@h:1"],
)
@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_what_is_no_proxy_is_told_where_it_is_needed(
    server: int, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert got(f"http://127.0.0.1:{server}/a") == "/a"
    with pytest.raises(LauncherError) as raised:
        got("https://hub.invalid")
    assert raised.value.message.startswith(f"{variable} is {value.replace(':s3cret@', '')}")
    assert f"unset {variable}" in raised.value.hint
    assert "s3cret" not in str(raised.value)


@pytest.mark.skipif(HAS_SOCKS, reason="the package for SOCKS is installed")
@pytest.mark.parametrize("value", ["socks5://u:s3cret@h:1", "socks5h://h:1", "socks://h:1/"])
def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("all_proxy", value)
    with pytest.raises(MissingPart) as raised:
        got("https://hub.invalid")
    assert "all_proxy" in raised.value.message
    assert "socksio" in raised.value.hint
    assert "s3cret" not in str(raised.value)


@pytest.mark.skipif(not HAS_SOCKS, reason="the package for SOCKS is not installed")
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
def test_a_socks_proxy_is_used(server: int, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with socks_proxy(to=server) as port:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
        assert got("http://hub.invalid/a") == "/a"


@contextmanager
def socks_proxy(to: int) -> Iterator[int]:
    """Speaks SOCKS 5, and leads everybody to one port of this machine."""

    def serve(asker: socket.socket) -> None:
        with asker:
            asker.recv(2 + 255)  # version, methods
            asker.sendall(b"\5\0")
            asker.recv(4 + 256 + 2)  # connect to whom
            asker.sendall(b"\5\0\0\1" + socket.inet_aton("127.0.0.1") + struct.pack("!H", to))
            with socket.create_connection(("127.0.0.1", to)) as target:
                target.sendall(asker.recv(65536))
                while piece := target.recv(65536):
                    asker.sendall(piece)
                    if b"/a" in piece:
                        return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=lambda: serve(listener.accept()[0]), daemon=True).start()
        yield listener.getsockname()[1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    st.lists(st.text(alphabet="socks5h:/[]@.,*% 0a中-", max_size=14), min_size=4, max_size=4),
    st.booleans(),
)
@example(["[", "socks5://", "://", "[::1]:x,fe80::%1"], True)
def test_no_value_is_a_defect(values: list[str], upper: bool) -> None:
    """Whatever the variables hold, a client is made, and what it says is an answer or an error in words."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(VARIABLES, values, strict=True):
            patch.setenv(name.upper() if upper else name, value)
        with new_client(Names()):
            for address in ("http://a.org", "https://[::1]:8/x", "https://10.0.0.1"):
                with contextlib.suppress(LauncherError):
                    if proxy := proxy_for(httpx.URL(address)):
                        proxy.transport().close()
    assert os.environ.get("no_proxy") is None
