"""What a model's process prints: kept in a file of bounded size, and its last lines in memory. Nothing
reaches the terminal.

Each launcher has files of its own, MODEL.PID.log with the launcher's process id, so that two of them never
write to one file, or turn it over under each other.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from launcher.user_folders import state_folder

FILE_BYTES = 1 << 20
"""A log file turns over at 1 MiB, and one older file is kept: an engine may print gigabytes."""

TAIL_BYTES = 16 << 10
"""Kept in memory for error messages."""

KEPT_LOGS = 3
"""Of each model, logs of launchers that have ended; the newest of them may say why."""

_READ_BYTES = 64 << 10
_NAME = re.compile(r"(?P<model>.+?)(?:\.(?P<pid>\d+))?\.log(?:\.1)?")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def default_log_folder() -> Path:
    """Where logs go unless told otherwise: ``$XDG_STATE_HOME/launcher/logs``
    (``~/.local/state/launcher/logs``)."""
    return state_folder() / "logs"


def log_path(folder: Path, model: str) -> Path:
    """The file for what a model's processes print under this launcher."""
    return folder / f"{model}.{os.getpid()}.log"


def remove_old_logs(folder: Path) -> None:
    """Leaves the logs of launchers that run, and of each model the KEPT_LOGS newest of those that have
    ended."""
    ended: dict[str, list[tuple[float, Path]]] = {}
    for path, model, pid in _logs_in(folder):
        if pid is None or not _runs(pid):
            with contextlib.suppress(OSError):  # another launcher removed it
                ended.setdefault(model, []).append((path.stat().st_mtime, path))
    for logs in ended.values():
        for _, path in sorted(logs, reverse=True)[KEPT_LOGS:]:
            with contextlib.suppress(OSError):
                path.unlink()


def _logs_in(folder: Path) -> Iterator[tuple[Path, str, int | None]]:
    """Each log with its model and its launcher's process id; earlier versions wrote none."""
    if folder.is_dir():
        for path in folder.iterdir():
            if found := _NAME.fullmatch(path.name):
                pid = found["pid"]
                yield path, found["model"], None if pid is None else int(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


class BoundedLog:
    """What one process of a model prints. Another process of the model may write to the same file. One that
    cannot be written is given up silently: the last lines are still kept."""

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
            if not self._is_current():  # the model's other process has turned it over
                self._file.close()
                self._file = self._open()
            elif os.fstat(self._file.fileno()).st_size + len(piece) > FILE_BYTES:
                self._file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                self._file = self._open()
            if self._file is not None:
                self._file.write(piece)
        except OSError:
            self._file = None

    def _is_current(self) -> bool:
        """Whether the open file is still the one of that name."""
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False
