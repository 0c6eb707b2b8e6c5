"""What the names of hosts mean: looked up once, so that the address that was judged is the one that is
connected to. A name server that is asked twice may say something else the second time."""

from __future__ import annotations

import socket

import httpx

SCHEMES = ("http", "https")
"""Of web addresses."""


class Names:
    """The addresses of hosts as they were first told. Not for several threads."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """Of the URL's host, in the order in which they are to be tried; none where there is no such host. An
        address means itself."""
        host = url.raw_host.decode("ascii")
        if host not in self._known:
            self._known[host] = _looked_up(host)
        return self._known[host]

    def forget(self, url: httpx.URL) -> None:
        """Its host is looked up anew, and judged anew, when it is named the next time."""
        self._known.pop(url.raw_host.decode("ascii"), None)


class DirectTransport(httpx.BaseTransport):
    """Connects to the addresses that ``names`` tells, and to no other; TLS and the server hear the name.

    Each host has connections of its own: two names of one address are two servers to TLS.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._tls = httpx.create_ssl_context()
        self._hosts: dict[bytes, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Asks the first address that takes the connection.

        Raises:
            httpx.UnsupportedProtocol: it is no web address.
            httpx.ConnectError, httpx.ConnectTimeout: none does.
        """
        url = request.url
        if url.scheme not in SCHEMES:
            raise httpx.UnsupportedProtocol(f"{url.scheme or 'nothing'} is neither http nor https")
        if url.raw_host not in self._hosts:
            self._hosts[url.raw_host] = httpx.HTTPTransport(verify=self._tls)
        transport = self._hosts[url.raw_host]
        failure: httpx.TransportError = httpx.ConnectError(f"there is no host named {url.host}")
        for address in self._names.addresses(url):
            try:
                return transport.handle_request(addressed(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        self._names.forget(url)
        raise failure

    def close(self) -> None:
        """Ends all connections."""
        for transport in self._hosts.values():
            transport.close()


def addressed(request: httpx.Request, address: str) -> httpx.Request:
    """The same request, its Host header included, at an address; certificates are compared with the name."""
    host = request.url.raw_host.decode("ascii")
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _looked_up(host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))
