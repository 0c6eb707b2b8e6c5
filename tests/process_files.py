"""What the kernel says of processes that may end at any moment."""

from __future__ import annotations

import contextlib
from pathlib import Path


def process_file(pid: int, name: str) -> bytes:
    """A file of /proc/PID; empty once the process, or its thread that the file is of, is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""
