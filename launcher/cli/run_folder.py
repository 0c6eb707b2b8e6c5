"""A folder for the temporary files of one run, which is gone afterwards however the run ends.

The run holds a lock on a file in its folder. The system lets go of it when the process ends, by SIGKILL too;
so each start can tell what an earlier run has left behind, and deletes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "launcher-"
_LOCK = ".lock-of-launcher"


@contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder below the system's temporary one, readable by its user alone.

    Raises:
        OSError: no temporary folder can be written.
    """
    _delete_what_is_left(Path(tempfile.gettempdir()))
    folder, lock = _claimed()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _claimed() -> tuple[Path, int]:
    """A folder and the open file of its lock, which is held. Another start may delete the folder in the
    moment before it is; then it is made anew."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            folder.rmdir()
            raise
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_nlink:
                return folder, lock
        os.close(lock)


def _delete_what_is_left(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # in use, another user's, gone, or no folder of a run at all
            _delete_unless_in_use(folder)


def _delete_unless_in_use(folder: Path) -> None:
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
