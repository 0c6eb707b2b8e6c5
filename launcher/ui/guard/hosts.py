"""Under which names the page may be asked for.

A browser sends the name that it was given in the Host header. A hostile page whose own name is made to lead
to this machine (DNS rebinding) is of one origin with the launcher for the browser, and could read everything;
its name gives it away. Addresses cannot be rebound.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from launcher.commands_here import command
from launcher.door import is_loopback, name_and_port
from launcher.errors import RequestError
from launcher.settings import shown
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send


@dataclass(frozen=True)
class AllowedHosts:
    """The names of this page. Ports are not looked at: a tunnel has one of its own.

    ``localhost`` and the loopback addresses are always among them, for tunnels; any address is where the
    page listens on more than loopback, since a container does not know its own.
    """

    names: frozenset[str] = frozenset()
    any_address: bool = False

    def __contains__(self, host: object) -> bool:
        name = str(host)
        if name == "localhost" or name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


def allowed_hosts(
    sockets: Sequence[socket.socket], *, host: str = "", root_path: str = "", more: Iterable[str] = ()
) -> AllowedHosts:
    """What the page may be called, from where it listens and what it was told.

    Args:
        sockets: where it listens.
        host: the name or address that it was told to listen on.
        root_path: the path below which a proxy shows it, or its whole address there, whose host counts.
        more: names that the user vouches for.
    """
    is_open = not all(is_loopback(listening) for listening in sockets)
    names = {host, *more, urlsplit(root_path).hostname or ""} | ({socket.gethostname()} if is_open else set())
    return AllowedHosts(frozenset(name.lower() for name in names if name), is_open)


class HostCheck:
    """Refuses every request that names another host, in the Host header or in a proxy's X-Forwarded-Host,
    from which Gradio makes the page's addresses."""

    def __init__(self, app: App, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if is_request(scope) and (wrong := self._wrong(Headers(scope=scope))) is not None:
            error = RequestError(
                "{host} is not a name of this page",
                "Open it under the address that its start prints. If the name is right, type: {command}",
                host=shown(wrong),
                command=command("serve", "--allow-host", _typed(wrong)),
            )
            await Refusal(HTTPStatus.MISDIRECTED_REQUEST, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _wrong(self, headers: Headers) -> str | None:
        forwarded = headers.get("x-forwarded-host")
        given = [headers.get("host", "")]
        if forwarded is not None:
            given.append(forwarded.partition(",")[0])
        for each in given:
            named = name_and_port(each)
            if named is None or named[0] not in self._hosts:
                return each
        return None


def _typed(host: str) -> str:
    """The name as the option takes it; a placeholder for what is none."""
    named = name_and_port(host)
    return named[0] if named and len(named[0]) < 256 else "NAME"
