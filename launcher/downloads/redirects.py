"""Where a hub may lead a download: on to other hosts, as both hubs do, but not from outside into this machine
or its network, where a request can set things going that its sender may not reach."""

from __future__ import annotations

import ipaddress
import socket

import httpx

from launcher.downloads import proxies
from launcher.errors import CheckpointError

SCHEMES = ("http", "https")


def check_redirect(response: httpx.Response) -> None:
    """For httpx's response hook.

    Raises:
        CheckpointError: the answer leads from a host outside to one inside, or to what is no web address.
    """
    if not response.has_redirect_location:
        return
    try:
        target = response.url.join(response.headers["Location"])
    except httpx.InvalidURL:
        return  # httpx itself refuses what it cannot read
    if target.scheme not in SCHEMES or (is_inside(target) and not is_inside(response.url)):
        raise CheckpointError(
            "{host} leads to {target}, where no download is: that is not followed",
            "Leave the mirror out (unset HF_ENDPOINT), or take the other hub (--from).",
            host=response.url.host,
            target=str(target.copy_with(username=None, password=None, query=None)),
        )


def is_inside(url: httpx.URL) -> bool:
    """Whether the host is this machine or one of a network that is not public; of a name any of its
    addresses. Behind a proxy, which looks names up by itself, only an address tells."""
    addresses = [url.host]
    if proxies.proxy_for(url) is None:
        addresses += _addresses(url.host)
    return url.host.lower().rstrip(".") == "localhost" or any(map(_is_private, addresses))


def _addresses(host: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):  # there is no such host: whoever connects finds out
        return []


def _is_private(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:  # a name
        return False
