"""Ports to serve at."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _COUNT = 10_000, 20_000
"""Below the ports that the system gives to connections going out: one of them could be first to take it."""

_numbers = itertools.count(os.getpid() * 100)  # processes of pytest side by side begin far from each other


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens, and that no other test of this process was given."""
    for number in _numbers:
        port = _FIRST + number % _COUNT
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError
