from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from launcher.door import name_and_port
from launcher.ui.guard.hosts import AllowedHosts, HostCheck, allowed_hosts
from tests.ui.guard.asgi import Inner, client, exchange, scope_of


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.create_server((request.param, 0)) as listener:
        yield listener


def test_a_page_on_loopback_is_called_by_no_other_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hosts = allowed_hosts([listener])
    for name in ("localhost", "127.0.0.1", "127.0.0.7", "::1"):
        assert name in hosts
    for name in ("rebound.example", "10.0.0.5", "localhost.example", "", "0.0.0.0"):
        assert name not in hosts


def test_a_page_that_listens_everywhere_has_every_address_and_the_machines_name() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        hosts = allowed_hosts([listener], host="0.0.0.0")
    for name in ("10.0.0.5", "2001:db8::5", socket.gethostname().lower(), "localhost"):
        assert name in hosts
    assert "rebound.example" not in hosts


def test_names_that_the_user_gave(listening: socket.socket) -> None:
    hosts = allowed_hosts(
        [listening], host="Lab.example", root_path="https://hub.example:8443/vl", more=["box.example"]
    )
    assert all(name in hosts for name in ("lab.example", "hub.example", "box.example"))


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("localhost:7000", ("localhost", 7000)),
        ("LOCALHOST", ("localhost", None)),
        ("localhost.", ("localhost", None)),
        ("[::1]:6006", ("::1", 6006)),
        ("[::1]", ("::1", None)),
        ("", None),
        (None, None),
        ("::1", None),
        ("evil.example@localhost", None),
        ("localhost:6006:1", None),
        ("localhost/x", None),
        ("local host", None),
        ("localhost\\@evil.example", None),
    ],
)
def test_reading_a_host_header(host: str | None, parts: tuple[str, int | None] | None) -> None:
    assert name_and_port(host) == parts


@pytest.mark.parametrize("host", ["localhost", "localhost:7000", "127.0.0.1:1", "[::1]:6006"])
async def test_a_tunnel_has_a_port_of_its_own(host: str) -> None:
    async with client(HostCheck(Inner(), AllowedHosts())) as http:
        assert (await http.get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    ("language", "said"), [("en", "is not a name of this page"), ("zh-CN", "不是本页面的主机名")]
)
async def test_another_name_is_told_what_to_type(language: str, said: str) -> None:
    inner = Inner()
    async with client(HostCheck(inner, AllowedHosts())) as http:
        answer = await http.get("/", headers={"host": "evil.example:80", "accept-language": language})
    assert answer.status_code == 421
    assert said in answer.text
    assert "serve --allow-host evil.example" in answer.text
    assert not inner.seen


async def test_the_host_that_a_proxy_names_counts_too() -> None:
    async with client(HostCheck(Inner(), AllowedHosts(frozenset({"box.example"})))) as http:
        for forwarded, status in (("box.example", 200), ("evil.example", 421), ("", 421)):
            answer = await http.get("/", headers={"x-forwarded-host": forwarded})
            assert answer.status_code == status


async def test_a_request_without_a_host_is_refused() -> None:
    inner = Inner()
    [start, _] = await exchange(HostCheck(inner, AllowedHosts()), scope_of())
    assert start["status"] == 421
    assert not inner.seen


async def test_a_websocket_under_another_name_is_closed() -> None:
    inner = Inner()
    scope = {**scope_of(host="evil.example"), "type": "websocket"}
    assert await exchange(HostCheck(inner, AllowedHosts()), scope, [{"type": "websocket.connect"}]) == [
        {"type": "websocket.close", "code": 1008, "reason": ""}
    ]
    assert not inner.seen
