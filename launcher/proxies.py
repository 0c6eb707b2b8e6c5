"""The proxies that the environment names, which of them an address is asked through, and connections through
one.

httpx reads the same variables, but one that it does not understand (``ALL_PROXY=socks5://…`` without a
package for SOCKS, ``[::1]`` in ``no_proxy``) is an error before anything is asked. Here a variable matters
only where it is needed, and one that cannot be used is told of by its name.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from launcher.commands_here import pip_install
from launcher.errors import LauncherError, MissingPart

_SOCKS_PACKAGE = "socksio"
_KINDS = ("http", "https", "all")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy for addresses that begin with ``kind`` (``all``: with either), and where it is named."""

    kind: str
    variable: str
    value: str

    @property
    def shown(self) -> str:
        """The value without a password."""
        scheme, slashes, rest = self.value.rpartition("://")
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"

    def transport(self) -> httpx.HTTPTransport:
        """Connections through it.

        Raises:
            MissingPart: it is a SOCKS proxy, and the package for those is not installed.
            LauncherError: the value is no proxy's address, or of a kind that is not supported.
        """
        return httpx.HTTPTransport(proxy=self._checked())

    def async_transport(self) -> httpx.AsyncHTTPTransport:
        """The same for event loops."""
        return httpx.AsyncHTTPTransport(proxy=self._checked())

    def _checked(self) -> httpx.Proxy:
        address = self.value if "://" in self.value else f"http://{self.value}"
        if address.startswith("socks://"):  # as GNOME's settings write it
            address = f"socks5{address.removeprefix('socks')}"
        try:
            proxy = httpx.Proxy(address)
            if not proxy.url.host:
                raise ValueError
        except (httpx.InvalidURL, ValueError) as error:
            raise LauncherError(
                "{variable} is {value}, which is no proxy that can be used",
                "Write it as http://host:port or socks5://host:port, or go without it: unset {variable}",
                variable=self.variable,
                value=self.shown,
            ) from error
        if proxy.url.scheme.startswith("socks") and importlib.util.find_spec(_SOCKS_PACKAGE) is None:
            raise MissingPart(
                "{variable} is {value}, a SOCKS proxy, and the package for those is not installed",
                "Type: {command}  (or go without the proxy: unset {variable})",
                command=pip_install(_SOCKS_PACKAGE),
                variable=self.variable,
                value=self.shown,
            )
        return proxy


def named_proxies() -> Iterator[Proxy]:
    """Every proxy that the environment names; a variable in lower case, even an empty one, hides the
    other."""
    for kind in _KINDS:
        name = f"{kind}_proxy"
        variable = name if name in os.environ else name.upper()
        if value := os.environ.get(variable, "").strip():
            yield Proxy(kind, variable, value)


def proxy_for(url: httpx.URL) -> Proxy | None:
    """The proxy for an address; None: it is asked directly."""
    if _bypassed(url.host.lower(), url.port or _PORTS.get(url.scheme, 0)):
        return None
    found = {proxy.kind: proxy for proxy in named_proxies()}
    return found.get(url.scheme) or found.get("all")


def _bypassed(host: str, port: int) -> bool:
    """Whether ``no_proxy`` holds the host: ``*``, a name with its subdomains, an IP address or a range of
    them, each with or without a port; IPv6 with or without brackets."""
    value = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(_holds(entry.lower(), host, port) for entry in value.replace(",", " ").split())


def _holds(entry: str, host: str, port: int) -> bool:
    entry = entry.rpartition("://")[2]
    if (network := _network(entry.strip("[]"))) is None:
        entry, colon, wanted = entry.rpartition(":")
        if not colon:
            entry = wanted
        elif wanted != str(port):
            return False
        network = _network(entry.strip("[]"))
    if network is not None:
        address = _network(host)
        return (
            address is not None and address.version == network.version and address.network_address in network
        )
    name = entry.removeprefix("*").removeprefix(".")
    return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
