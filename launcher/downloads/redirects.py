"""Where a download may be led: on to other hosts, as both hubs do, but not from outside into this machine or
its network, where a request can set things going that its sender may not reach."""

from __future__ import annotations

import ipaddress

import httpx

from launcher.downloads.names import SCHEMES, Names
from launcher.proxies import proxy_for


def forbidden_target(response: httpx.Response, names: Names) -> str:
    """Where the answer leads though it may not: from a host outside to one inside, or to what is no web
    address; "" where it leads nowhere or may. The address is told without a password and what comes after
    "?"."""
    if not response.has_redirect_location:
        return ""
    try:
        target = response.url.join(response.headers["Location"])
    except httpx.InvalidURL:
        return ""  # httpx itself refuses what it cannot read
    if target.scheme in SCHEMES and (_is_inside(response.url, names) or not _may_be_inside(target, names)):
        return ""
    return str(target.copy_with(username=None, password=None, query=None))


def _is_inside(url: httpx.URL, names: Names) -> bool:
    """Whether all that the host means is inside: a name that means a host outside, too, is one of theirs."""
    return all(_inside(url, names))


def _may_be_inside(url: httpx.URL, names: Names) -> bool:
    """Whether any of what the host means is inside."""
    return any(_inside(url, names))


def _inside(url: httpx.URL, names: Names) -> list[bool]:
    """Of each thing that the host means, whether it is this machine or one of a network that is not public.
    Behind a proxy, which looks names up by itself, only an address tells."""
    if url.host.lower().rstrip(".") == "localhost":
        return [True]
    is_direct = proxy_for(url) is None
    return [is_private(each) for each in (names.addresses(url) if is_direct else ()) or (url.host,)]


def is_private(address: str) -> bool:
    """Whether an IP address is this machine's, or one of a network that is not public. What carries an IPv4
    address to a gateway is judged as that. A name is not."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a name
        return False
    if isinstance(found, ipaddress.IPv6Address) and (carried := _carried(found)) is not None:
        found = carried
    return not found.is_global or found.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052, 2.1."""


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
