"""What is an address, and how it is told to a person."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_MOST_SHOWN = 100
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_address(text: str) -> bool:
    """Whether it is meant as an address, of whatever kind, and not as a file's name."""
    return _ADDRESS.match(text) is not None


def is_web_address(text: str) -> bool:
    """Whether it begins as what can be fetched."""
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:  # brackets without an end
        return False


def shown_address(address: str) -> str:
    """The address without a password, what comes after "?", and control characters."""
    scheme, _, rest = re.split(r"[?#]", address, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    plain = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    safe = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return safe if len(safe) <= _MOST_SHOWN else f"{safe[: _MOST_SHOWN - 1]}…"
