"""How often something may happen for each who does it: a bucket of tokens that fills again with time. And how
much each has open."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from launcher.ui.headers import Scope

_KEYS_KEPT = 10_000
"""About 2 MB. What is forgotten, the longest unused, is a full bucket in all but the largest attacks."""

_IPV6_HOME = 64
"""Bits of an IPv6 address that stand for one place: the rest is each machine's own to choose."""


class Rate:
    """At most ``count`` each ``per_s`` seconds for each key, all of them at once if need be."""

    def __init__(self, count: int, per_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._per_token_s = per_s / count
        self._clock_s = clock_s
        self._full_at_s: OrderedDict[str, float] = OrderedDict()
        """When the key's bucket is full again."""

    def wait_s(self, key: str) -> float:
        """How long until one more may happen; 0 where it may now."""
        missing_s = max(0.0, self._full_at_s.get(key, 0.0) - self._clock_s())
        return max(0.0, missing_s - (self._count - 1) * self._per_token_s)

    def happened(self, key: str) -> None:
        """Counts one."""
        now_s = self._clock_s()
        self._full_at_s[key] = max(self._full_at_s.get(key, 0.0), now_s) + self._per_token_s
        self._full_at_s.move_to_end(key)
        if len(self._full_at_s) > _KEYS_KEPT:
            self._full_at_s.popitem(last=False)


@contextmanager
def counted(open_now: Counter[str], key: str) -> Iterator[None]:
    """One more is open for the key meanwhile; a key for which none is open is not kept."""
    open_now[key] += 1
    try:
        yield
    finally:
        open_now[key] -= 1
        if not open_now[key]:
            del open_now[key]


def address_of(scope: Scope) -> str:
    """From where a request comes, as far as it counts: the IPv4 address, or the IPv6 network."""
    client = scope.get("client")
    return _address(str(client[0]).partition("%")[0]) if client else ""


@lru_cache(maxsize=4096)
def _address(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and (plain := address.ipv4_mapped):
        return str(plain)
    if address.version == 6 and not address.is_loopback:
        return str(ipaddress.ip_network((address, _IPV6_HOME), strict=False).network_address)
    return str(address)


def stands_for_many(address: str) -> bool:
    """Loopback: everyone behind a tunnel or a proxy comes from there."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
