"""Connections that make the server wait: a real server, told to be impatient."""

from __future__ import annotations

import asyncio
import logging
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import pytest
import uvicorn

from launcher.ui.guard import patience
from launcher.ui.guard.bodies import Bodies
from launcher.ui.guard.patience import PatientProtocol
from launcher.ui.headers import App, Receive, Scope, Send
from tests.ui.guard.asgi import Inner

BOUND_S = 60.0
"""On waiting, not a measure."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "REST_S", "UNREAD_S"):
        monkeypatch.setattr(patience, name, 0.3)


@pytest.fixture
def place() -> Iterator[tuple[str, int]]:
    with serving(Bodies(Inner())) as address:
        yield address


@contextmanager
def serving(app: App) -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(
        app, http=PatientProtocol, ws="none", lifespan="off", log_level="critical",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


def connect(place: tuple[str, int]) -> socket.socket:
    connection = socket.create_connection(place, timeout=BOUND_S)
    connection.settimeout(BOUND_S)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    """What comes before the server closes; raises where it does not."""
    got = b""
    try:
        while piece := connection.recv(65_536):
            got += piece
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize("begin", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_half_a_request_is_not_waited_for_for_ever(place: tuple[str, int], begin: bytes) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(place)) for _ in range(50)]
        for connection in connections:
            connection.sendall(begin)
        for connection in connections:
            assert until_closed(connection) == b""


def test_a_byte_now_and_then_gains_no_time(place: tuple[str, int]) -> None:
    """The writing ends when the server closes the connection: else it would go on for good."""
    with connect(place) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(b"x")
        assert until_closed(connection) == b""


def test_a_second_request_has_its_own_time(place: tuple[str, int]) -> None:
    with connect(place) as connection:
        whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(3):
            connection.sendall(whole)
            got = b""
            while not got.endswith(b"\r\n\r\n0"):
                got += connection.recv(65_536)
        connection.sendall(whole[:10])
        assert until_closed(connection) == b""


def test_the_rest_of_a_body_that_was_refused_is_not_read_for_ever(place: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
    with connect(place) as connection:
        connection.sendall(head + b"x")
        assert until_closed(connection).startswith(b"HTTP/1.1 413")


def test_more_connections_than_there_is_room_for(
    place: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "most_connections", lambda: 2)
    with connect(place) as first, connect(place) as second, connect(place) as third:
        assert until_closed(third) == b""
        for connection in (first, second):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert until_closed(connection).startswith(b"HTTP/1.1 200")


def test_a_reader_that_does_not_read_is_let_go() -> None:
    """The stream has no end of its own; it is told that its reader has gone."""
    told = Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        told.set()

    with serving(endless) as place, connect(place) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert told.wait(BOUND_S)


def test_a_slow_reader_that_reads_gets_everything() -> None:
    size = 20_000_000

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", str(size).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(size // 100_000):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with serving(large) as place, connect(place) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until_closed(connection).endswith(b"x" * 1000)


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_who_asks_for_another_protocol_is_answered_and_the_terminal_told_nothing(
    place: tuple[str, int], protocol: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])
    caplog.set_level(logging.WARNING, "uvicorn.error")
    with connect(place) as connection:
        asked = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: {protocol}\r\n\r\n"
        connection.sendall(asked.encode())
        assert until_closed(connection).startswith(b"HTTP/1.1 200 ")
    assert not caplog.records
