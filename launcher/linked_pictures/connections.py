"""Connections for event loops: through the environment's proxies, or straight to the addresses that were
judged. What ``launcher.downloads.client`` is for downloads, which run in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import httpx

from launcher.downloads.names import SCHEMES, Names, addressed
from launcher.proxies import proxy_for

MOST_TRIED = 4
"""Addresses of one host: where so many do not answer, the others are not waited for."""


class Connections(httpx.AsyncBaseTransport):
    """For one picture. A name is looked up once, in a thread of its own: who judges it and who connects are
    told the same."""

    def __init__(self) -> None:
        self.names = Names()
        self._looking_up = ThreadPoolExecutor(1, "names")
        self._open: dict[Hashable, httpx.AsyncBaseTransport] = {}

    async def addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """What the URL's host means; none where there is no such host."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._looking_up, self.names.addresses, url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Asks the proxy for the URL, or the first address that takes the connection.

        Raises:
            httpx.UnsupportedProtocol: it is no web address.
            httpx.ConnectError, httpx.ConnectTimeout: none does.
            LauncherError: the environment's proxy cannot be used.
        """
        url = request.url
        if url.scheme not in SCHEMES:
            raise httpx.UnsupportedProtocol(f"{url.scheme or 'nothing'} is neither http nor https")
        if proxy := proxy_for(url):
            return await self._kept(proxy, proxy.async_transport).handle_async_request(request)
        transport = self._kept(url.raw_host, httpx.AsyncHTTPTransport)
        failure: httpx.TransportError = httpx.ConnectError(f"there is no host named {url.host}")
        for address in (await self.addresses(url))[:MOST_TRIED]:
            try:
                return await transport.handle_async_request(addressed(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    def _kept(self, key: Hashable, make: Callable[[], httpx.AsyncBaseTransport]) -> httpx.AsyncBaseTransport:
        if key not in self._open:
            self._open[key] = make()
        return self._open[key]

    async def aclose(self) -> None:
        """Ends all connections."""
        self._looking_up.shutdown(wait=False)
        for transport in self._open.values():
            await transport.aclose()
