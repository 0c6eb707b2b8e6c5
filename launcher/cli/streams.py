"""Standard input, output and error as they come: closed, full, without letters, without a reader.

What is said on standard error is never worth a failure; what is lost on standard output always is one.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from launcher.errors import LauncherError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_TOO_MUCH = (errno.ENOMEM, errno.EAGAIN)


def settle() -> None:
    """Opens what is closed, and makes letters that an encoding lacks be shown as "?": an answer in Chinese
    must not end in an error."""
    # Input and output in the wrong direction: using them fails, and no other file takes their place.
    _open_if_closed("stdin", "r", os.O_WRONLY)
    _open_if_closed("stdout", "w", os.O_RDONLY)
    _open_if_closed("stderr", "w", os.O_WRONLY)
    if type(sys.stderr) is io.TextIOWrapper:
        sys.stderr = _UnfailingText(sys.stderr.detach(), sys.stderr.encoding, "replace", line_buffering=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def output() -> Iterator[None]:
    """Around whatever writes to standard output: it is there afterwards.

    Raises:
        LauncherError: it cannot be written.
        BrokenPipeError: its reader has left.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        lose_output()
        raise LauncherError(
            "Standard output cannot be written: {reason}",
            "Make room on its disk, or give the command another place to write to.",
            reason=error.strerror or error,
        ) from error


def flush_output() -> None:
    """For the end of the program: all that was said is out, or a LauncherError says why not."""
    try:
        with output():
            pass
    except BrokenPipeError:
        lose_output()


def lose_output() -> None:
    """From now on standard output goes nowhere, so that what waits in its buffer cannot fail once more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def reader_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(happened & (select.POLLERR | select.POLLHUP) for _, happened in poll.poll(0))


def takes_all_letters() -> bool:
    """Whether standard output can show any letter."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def refused(error: OSError) -> LauncherError:
    """What the system refused where nobody expected it, in words: no defect, and no person's mistake."""
    if error.errno in _TOO_MANY_FILES:
        hint = "Let it open more, then type the command again: ulimit -n 4096"
    elif error.errno in _FULL:
        hint = "Make room on the disk, then type the command again."
    elif error.errno in _TOO_MUCH:
        hint = "Stop other programs, then type the command again."
    else:
        hint = "To see where, type the same command with --debug:  launcher --debug …"
    about = f": {error.filename}" if error.filename is not None else ""
    return LauncherError(
        "The system refuses something that the launcher needs: {reason}{about}",
        hint,
        reason=error.strerror or error,
        about=about,
    )


class _UnfailingText(io.TextIOWrapper):
    """Standard error: where it cannot be written, there is nobody to tell."""

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def _open_if_closed(name: str, mode: str, direction: int) -> None:
    if getattr(sys, name) is not None:
        return
    number = ("stdin", "stdout", "stderr").index(name)
    nowhere = os.open(os.devnull, direction)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)
    stream = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    setattr(sys, name, stream)
