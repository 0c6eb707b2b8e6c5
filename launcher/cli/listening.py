"""Where the page listens: its sockets, what stands in their way, and the addresses that a person types."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from launcher.cli import streams
from launcher.errors import LauncherError, PortInUse, RequestError

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 6006
HIGHEST_PORT = 65535
SERVER_NAME = "launcher"
"""What the page calls itself in the ``Server`` header of its answers; another launcher knows it by that."""

_BACKLOG = 2048
_ASKING_S = 2.0
"""For whoever has the port to say what it is."""
_PORTS_TRIED = 50
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to reach what listens everywhere."""
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)

_Place = tuple[Any, ...]
"""A socket's address as Python has it: IP address, port, and for IPv6 flow and scope."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page listens: a name or an IP address, IPv6 with or without brackets."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return f"{in_url(self.bare_host)}:{self.port}"

    @property
    def bare_host(self) -> str:
        """The host without brackets."""
        return self.host[1:-1] if self.host.startswith("[") and self.host.endswith("]") else self.host


def listen(address: Address) -> list[socket.socket]:
    """A listening socket for each IP address of the host that this machine has.

    Browsers that come early wait until the sockets are served. A name may stand for several addresses
    (``localhost``: IPv4 and IPv6); those that this machine lacks are left out, as long as one remains. Port 0
    is any that is free.

    Raises:
        PortInUse: another program has the port on one of them.
        RequestError: there is no such name or address here, or the port is not for everyone.
        LauncherError: the system has no socket to give.
    """
    sockets: list[socket.socket] = []
    refused: LauncherError | None = None
    port = address.port
    for family, (ip, _, *rest) in _places(address):
        place = (ip, port, *rest)
        try:
            sockets.append(_listener(family, place))
            port = sockets[0].getsockname()[1]
        except OSError as error:
            refused = _refusal(address, place, error)
            if isinstance(refused, PortInUse):
                break
    if refused is not None and (not sockets or isinstance(refused, PortInUse)):
        _close(sockets)
        raise refused
    return sockets


def check_free(address: Address) -> None:
    """Tries whether the page could listen there; raises what ``listen`` raises."""
    _close(listen(address))


def announcement(address: Address, sockets: Sequence[socket.socket], *, has_page: bool = True) -> str:
    """The page's address, or the endpoint's where there is no page, and how to reach it from another machine;
    in both languages."""
    target, port = _reachable(sockets[0].getsockname())
    page = f"http://{in_url(_LOOPBACK.get(address.bare_host, address.bare_host))}:{port}"
    where = (
        f"The page is at {page} (Ctrl-C stops it)\n页面地址：{page}（按 Ctrl-C 停止）\n"
        if has_page
        else f"The endpoint is at {page}/v1 (Ctrl-C stops it)\n接口地址：{page}/v1（按 Ctrl-C 停止）\n"
    )
    return (
        f"\n{where}\n"
        "If this is a remote machine, type on your own, with its user, host and ssh port:\n"
        "如果这是远程机器，请在自己的电脑上运行（换成它的用户名、主机和 ssh 端口）：\n"
        f"  ssh -CNg -L {port}:{in_url(target)}:{port} user@host -p port\n"
    )


def in_url(host: str) -> str:
    """A host as it stands in a URL: IPv6 in brackets, and the zone's mark escaped."""
    return f"[{host.replace('%', '%25')}]" if ":" in host else host


def _places(address: Address) -> list[tuple[socket.AddressFamily, _Place]]:
    try:
        if address.bare_host == "*":  # the system takes it for every address, of each family anew
            raise UnicodeError
        found = socket.getaddrinfo(
            address.bare_host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: nothing that could be a name
        reason = error.strerror if isinstance(error, socket.gaierror) else None
        raise RequestError(
            "No address is known for the host {host}: {reason}",
            "Type: {command}",
            host=address.host,
            reason=reason or "it is not a name",
            command=_serve_on(Address(port=address.port)),
        ) from error
    return list(dict.fromkeys((family, place) for family, _, _, _, place in found))


def _listener(family: socket.AddressFamily, place: _Place) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # "::" is everywhere, IPv4 too; any other address is IPv6 alone
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, place[0] != "::")
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(address: Address, place: _Place, error: OSError) -> LauncherError:
    """Why the system gives no socket for that, as what it is."""
    if error.errno == errno.EADDRINUSE:
        return _in_use(address, place)
    if error.errno in (errno.EACCES, errno.EPERM):
        return RequestError(
            "Port {port} is not for this user: {reason}",
            "Ports below 1024 are for administrators. Type: {command}",
            port=address.port,
            reason=os.strerror(error.errno),
            command=_serve_on(Address(address.host)),
        )
    if error.errno in _NO_SUCH_ADDRESS:
        return RequestError(
            "This machine has no address {host}",
            "Type: {command}",
            host=address.host,
            command=_serve_on(Address(port=address.port)),
        )
    return streams.refused(error)


def _in_use(address: Address, place: _Place) -> PortInUse:
    host, port = _reachable(place)
    values = {"port": port, "host": address.host, "url": f"http://{in_url(host)}:{port}"}
    command = _serve_on(Address(address.host, _free_port(address)))
    if _is_launcher(host, port):
        return PortInUse(
            "A launcher already serves its page at {url}",
            "Open it in a browser, or type: {command}",
            command=command,
            **values,
        )
    return PortInUse(
        "Port {port} on {host} is used by another program",
        "Stop that program, or type: {command}",
        command=command,
        **values,
    )


def _is_launcher(host: str, port: int) -> bool:
    """Asks whoever has the port for the head of its page."""
    connection = http.client.HTTPConnection(host, port, timeout=_ASKING_S)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().getheader("Server") == SERVER_NAME
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port(address: Address) -> int:
    """A port on which the page could listen now: the next that is free, or any."""
    places = _places(address)
    for port in (*range(address.port + 1, min(address.port + _PORTS_TRIED, HIGHEST_PORT) + 1), 0):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            ports = [
                stack.enter_context(_listener(family, (place[0], port, *place[2:]))).getsockname()[1]
                for family, place in places
            ]
            return int(ports[0])
    return DEFAULT_PORT


def _serve_on(address: Address) -> str:
    """The command that serves there."""
    host = [] if address.host == DEFAULT_HOST else ["--host", address.host]
    port = [] if address.port == DEFAULT_PORT else ["--port", str(address.port)]
    return shlex.join(["launcher", "serve", *host, *port])


def _reachable(place: _Place) -> tuple[str, int]:
    return _LOOPBACK.get(str(place[0]), str(place[0])), int(place[1])


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()
