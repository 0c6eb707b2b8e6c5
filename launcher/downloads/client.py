"""An HTTP client for downloads, through the environment's proxies."""

from __future__ import annotations

from typing import Any

import httpx

from launcher.downloads.names import DirectTransport, Names
from launcher.proxies import Proxy, proxy_for


def new_client(names: Names, **options: Any) -> httpx.Client:
    """An ``httpx.Client`` that goes through the environment's proxies, or straight to the addresses that
    ``names`` tells; certificates come from the environment, too. A proxy that cannot be used raises the
    errors of ``Proxy.transport`` from the first request that needs it."""
    return httpx.Client(transport=_ThroughProxies(names), **options)


class _ThroughProxies(httpx.BaseTransport):
    """Hands each request to the connections through its proxy, or to the direct ones."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._transports: dict[Proxy | None, httpx.BaseTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(request.url)
        if proxy not in self._transports:
            self._transports[proxy] = proxy.transport() if proxy else DirectTransport(self._names)
        return self._transports[proxy].handle_request(request)

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()
