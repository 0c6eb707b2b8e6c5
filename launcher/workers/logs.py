"""What a model's process prints: kept in a file of bounded size, and its last lines in memory. Nothing
reaches the terminal."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

from launcher.user_folders import state_folder

FILE_BYTES = 1 << 20
"""A log file turns over at 1 MiB, and one older file is kept: an engine may print gigabytes."""

TAIL_BYTES = 16 << 10
"""Kept in memory for error messages."""

_READ_BYTES = 64 << 10
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def default_log_folder() -> Path:
    """Where logs go unless told otherwise: ``$XDG_STATE_HOME/launcher/logs``
    (``~/.local/state/launcher/logs``)."""
    return state_folder() / "logs"


class BoundedLog:
    """One model's log. A file that cannot be written is given up silently: the last lines are still kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail = b""
        self._file: BinaryIO | None = None

    def follow(self, source: BinaryIO) -> None:
        """Copies all that ``source`` (the read end of a pipe) gives until it ends; blocks, so runs in a
        thread of its own."""
        self._file = self._open()
        try:
            while piece := os.read(source.fileno(), _READ_BYTES):
                self._tail = (self._tail + piece)[-TAIL_BYTES:]
                self._write(piece)
        finally:
            if self._file is not None:
                self._file.close()

    def last_lines(self, count: int = 12) -> tuple[str, ...]:
        """The last lines that say something, without colours; a progress bar's redrawn states are lines of
        their own."""
        text = _COLOURS.sub("", self._tail.decode("utf-8", errors="replace")).replace("\r", "\n")
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-count:]

    def _open(self) -> BinaryIO | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self.path.open("ab", buffering=0)
        except OSError:
            return None

    def _write(self, piece: bytes) -> None:
        if self._file is None:
            return
        try:
            if self._file.tell() + len(piece) > FILE_BYTES:
                self._file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                self._file = self._open()
            if self._file is not None:
                self._file.write(piece)
        except OSError:
            self._file = None
