"""What workers have spawned goes with them, in a session of its own or not, and however the launcher itself
ends.

Each worker's environment carries a mark, which all that it spawns inherits. A process that watches over the
launcher holds one end of a pipe; when the launcher ends, be it by SIGKILL, the pipe does, and the watcher
kills whatever is still marked. Linux alone tells of other processes' environments; elsewhere a worker's
process group is all that is taken along.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Lock

from launcher.workers.limits import SWEEP_S

MARK = "LAUNCHER_WORKER"
"""The environment variable that holds a worker's mark."""

_WATCH = (
    "import os; os.fork() and os._exit(0); "  # before it imports anything: the launcher waits for that
    "import sys; sys.path[:] = {path!r}; from launcher.workers.leftovers import watch; watch({fd}, {token!r})"
)
_PROC = Path("/proc")
_AGAIN_S = 0.02


class Leftovers:
    """Everything that one launcher's workers spawn. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._numbers = count(1)
        self._lock = Lock()
        self._watcher: _Watcher | None = None

    def new_mark(self) -> str:
        """The mark of a worker about to be spawned, which from here on is watched over.

        Raises:
            OSError: no process can be started.
        """
        with self._lock:
            if _PROC.is_dir() and (self._watcher is None or self._watcher.has_ended(0)):
                self._watcher = _Watcher(self._token)
            return f"{self._token}.{next(self._numbers)}."

    def end(self, mark: str) -> None:
        """Kills all that the worker with this mark has left behind; returns within SWEEP_S."""
        end_marked(mark)

    def close(self) -> None:
        """Has the watcher kill what is left and end."""
        with self._lock:
            watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()


class _Watcher:
    """The process that watches over this one; no child of it, as it is to outlive it.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, token: str) -> None:
        program = _WATCH.format(path=sys.path, fd=0, token=token)
        starter = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        starter.wait()
        assert starter.stdin is not None
        assert starter.stdout is not None
        self._lifeline, self._its_end = starter.stdin, starter.stdout

    def has_ended(self, timeout_s: float) -> bool:
        """Waits at most that long for its end."""
        return bool(select.select([self._its_end], [], [], timeout_s)[0])

    def close(self) -> None:
        """Has it look for what is left, and end."""
        self._lifeline.close()
        self.has_ended(SWEEP_S)
        self._its_end.close()


def watch(lifeline: int, token: str) -> None:
    """The watcher's whole life: waits for the launcher's end, then kills all that carries one of its
    marks."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(lifeline, 1):
        pass
    end_marked(f"{token}.")


def end_marked(mark: str) -> None:
    """Kills every process whose mark begins so, until two looks in a row find none or SWEEP_S are over.

    One look is not enough: a process in the midst of its exec shows no environment, and one that was born
    while /proc was read is not in it.
    """
    until_s = time.monotonic() + SWEEP_S
    found = True
    while time.monotonic() < until_s:
        found_before, found = found, False
        for pid in _marked(mark):
            found = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found and not found_before:
            return
        time.sleep(_AGAIN_S)


def _marked(mark: str) -> Iterator[int]:
    entry = f"{MARK}={mark}".encode()
    for environment in _PROC.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # gone, or another user's
            content = environment.read_bytes()
            if content.startswith(entry) or b"\0" + entry in content:
                yield int(environment.parent.name)
