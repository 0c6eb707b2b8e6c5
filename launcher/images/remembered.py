"""What was found out about files is remembered for as long as they are not changed: each question of a
conversation names the same pictures again."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Generic, TypeVar

Found = TypeVar("Found")

REMEMBERED_FILES = 4096
"""The least recently asked about are forgotten first; a name and a few numbers each."""

SETTLED_NS = 1_000_000_000
"""A file that was changed less than this ago may change once more without its times telling."""


class Remembered(Generic[Found]):
    """Findings by file and by what else they depend on. May be used from several threads at once."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, Found] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, mark: Hashable | None) -> Found | None:
        """What was found out about the file as it is now."""
        if mark is None:
            return None
        with self._lock:
            if mark in self._found:
                self._found.move_to_end(mark)
            return self._found.get(mark)

    def keep(self, mark: Hashable | None, found: Found) -> None:
        """Remembers what was found out about the file that had this mark beforehand."""
        if mark is None:
            return
        with self._lock:
            self._found[mark] = found
            while len(self._found) > REMEMBERED_FILES:
                self._found.popitem(last=False)


def mark_of(path: Path, *rest: Hashable) -> Hashable | None:
    """Tells a regular file and its content from all others, with ``rest`` that a finding depends on; None
    where that cannot be told: it is none, or was changed just now."""
    try:
        facts = os.lstat(path)
    except (OSError, ValueError):
        return None
    changed_ns = max(facts.st_mtime_ns, facts.st_ctime_ns)
    if not stat.S_ISREG(facts.st_mode) or abs(time.time_ns() - changed_ns) < SETTLED_NS:
        return None
    return (str(path), facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, *rest)
