"""Where the page listens: every way of writing an address, and every refusal told as what it is."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launcher.cli import listening
from launcher.cli.listening import HIGHEST_PORT, SERVER_NAME, Address, announcement, check_free, listen
from launcher.errors import LauncherError, PortInUse, RequestError

ANY = 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a port and says nothing is not waited for."""
    monkeypatch.setattr(listening, "_ASKING_S", 0.05)


silent = pytest.mark.usefixtures("impatient")


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


@contextmanager
def listening_on(address: Address) -> Iterator[list[socket.socket]]:
    sockets = listen(address)
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


def answers(ip: str, port: int) -> bool:
    try:
        socket.create_connection((ip, port), timeout=10).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "reached", "url", "tunnel"),
    [
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1", "127.0.0.1"),
        ("127.0.0.7", ["127.0.0.7"], "127.0.0.7", "127.0.0.7"),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.7"], "127.0.0.1", "127.0.0.1"),
        pytest.param("::1", ["::1"], "[::1]", "[::1]", marks=ipv6),
        pytest.param("[::1]", ["::1"], "[::1]", "[::1]", marks=ipv6),
        pytest.param("0:0::1", ["::1"], "[0:0::1]", "[::1]", marks=ipv6),
        pytest.param("::", ["::1", "127.0.0.1"], "[::1]", "[::1]", marks=ipv6),
    ],
)
def test_every_way_of_writing_an_address(host: str, reached: list[str], url: str, tunnel: str) -> None:
    """Where something listens, and nowhere else, is where the page and the tunnel are said to be."""
    with listening_on(Address(host, ANY)) as sockets:
        port = sockets[0].getsockname()[1]
        assert all(answers(ip, port) for ip in reached)
        said = announcement(Address(host, ANY), sockets)
        assert f"The page is at http://{url}:{port} " in said
        assert f"ssh -CNg -L {port}:{tunnel}:{port} user@host" in said
        assert answers("127.0.0.8", port) is (host in ("0.0.0.0", "::"))


@silent
def test_a_name_stands_for_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where this machine lacks one of them: here 203.0.113.7, which is nobody's."""
    real = socket.getaddrinfo

    def resolve(host: str, *rest: object, **options: object) -> object:
        names = ["203.0.113.7", "127.0.0.7", "127.0.0.1"] if host == "several" else [host]
        return [found for name in names for found in real(name, *rest, **options)]  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with listening_on(Address("several", ANY)) as sockets:
        ports = {each.getsockname()[1] for each in sockets}
        assert len(sockets) == 2
        (port,) = ports
        assert "http://several:" in announcement(Address("several", ANY), sockets)
        with pytest.raises(PortInUse):
            check_free(Address("several", port))
    check_free(Address("several", port))


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EADDRINUSE, PortInUse, "used by another program"),
        (errno.EACCES, RequestError, "not for this user"),
        (errno.EPERM, RequestError, "not for this user"),
        (errno.EADDRNOTAVAIL, RequestError, "This machine has no address"),
        (errno.EAFNOSUPPORT, RequestError, "This machine has no address"),
        (errno.EINVAL, RequestError, "This machine has no address"),
        (errno.EMFILE, LauncherError, "Too many open files"),
        (errno.ENFILE, LauncherError, "Too many open files"),
        (errno.ENOBUFS, LauncherError, os.strerror(errno.ENOBUFS)),
        (errno.ENOMEM, LauncherError, os.strerror(errno.ENOMEM)),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else None,
)
def test_each_refusal_is_told_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: type[LauncherError], words: str
) -> None:
    def refuse(_self: socket.socket, _place: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(LauncherError) as raised:
        listen(Address())
    assert type(raised.value) is kind
    assert words in raised.value.message
    assert raised.value.hint
    assert ("used by another program" in raised.value.message) is (number == errno.EADDRINUSE)


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "", "[]", "http://127.0.0.1", "a" * 64, "::1::", "fe80::1%nic", "*"]
)
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(RequestError) as raised:
        listen(Address(host, ANY))
    assert raised.value.message.startswith(
        ("No address is known for the host", "This machine has no address")
    )
    assert raised.value.hint.startswith("Type: launcher serve")


@settings(deadline=None)  # names may be asked for elsewhere
@given(st.text(alphabet="[]:%.0a-é中\ud800 /*~", max_size=12))
@example("[")
@example("xn--")
@example("." * 70)
def test_no_text_for_a_host_is_a_defect(host: str) -> None:
    with contextlib.suppress(LauncherError):
        check_free(Address(host, ANY))


class _Page(BaseHTTPRequestHandler):
    server_version, sys_version = SERVER_NAME, ""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass

    def version_string(self) -> str:
        return self.server_version


class _OtherPage(_Page):
    server_version = "another"


@contextmanager
def served_by(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_another_launcher_is_recognised(host: str) -> None:
    with served_by(_Page) as port, pytest.raises(PortInUse) as raised:
        listen(Address(host, port))
    assert raised.value.message == f"A launcher already serves its page at http://127.0.0.1:{port}"


def test_another_program_is_not_taken_for_a_launcher() -> None:
    with served_by(_OtherPage) as port, pytest.raises(PortInUse) as raised:
        listen(Address(port=port))
    assert raised.value.message == f"Port {port} on 127.0.0.1 is used by another program"


@pytest.mark.parametrize("says", [b"", b"\0\xff garbage\r\n\r\n"])
def test_who_does_not_speak_http_is_another_program(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_ASKING_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def talk() -> None:
            with taken.accept()[0] as asker:
                asker.sendall(says)
                asker.recv(1000)

        if says:
            Thread(target=talk, daemon=True).start()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as raised:
            listen(Address(port=port))
    assert "used by another program" in raised.value.message


@silent
def test_the_port_that_is_proposed_is_free() -> None:
    """The next one is taken as well, so it is not that."""
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse) as raised:
            listen(Address(port=port))
        proposed = int(raised.value.hint.rpartition(" ")[2])
        with socket.create_server(("127.0.0.1", proposed)), pytest.raises(PortInUse) as raised:
            listen(Address(port=port))
        check_free(Address(port=int(raised.value.hint.rpartition(" ")[2])))
        assert int(raised.value.hint.rpartition(" ")[2]) not in (port, proposed)


@silent
def test_the_highest_port_has_another_one_for_whom_it_is_taken() -> None:
    try:
        last = socket.create_server(("127.0.0.1", HIGHEST_PORT))
    except OSError:
        pytest.skip("the highest port is taken on this machine")
    with last, pytest.raises(PortInUse) as raised:
        listen(Address(port=HIGHEST_PORT))
    check_free(Address(port=int(raised.value.hint.rpartition(" ")[2])))


@silent
def test_the_hint_keeps_the_host() -> None:
    with socket.create_server(("127.0.0.7", 0)) as taken, pytest.raises(PortInUse) as raised:
        listen(Address("127.0.0.7", taken.getsockname()[1]))
    assert "launcher serve --host 127.0.0.7 --port" in raised.value.hint
