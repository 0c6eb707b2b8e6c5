"""Connections that make the server wait: a real server, told to be impatient."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest
import uvicorn

from launcher.ui.guard import patience
from launcher.ui.guard.bodies import Bodies
from launcher.ui.guard.patience import PatientProtocol
from tests.ui.guard.asgi import Inner

BOUND_S = 60.0
"""On waiting, not a measure."""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(patience, "HEAD_S", 0.3)
    monkeypatch.setattr(patience, "REST_S", 0.3)
    config = uvicorn.Config(
        Bodies(Inner()), http=PatientProtocol, ws="none", lifespan="off", log_level="critical",
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
