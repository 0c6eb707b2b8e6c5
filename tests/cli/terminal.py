"""A real terminal for tests: a tmux session of its own, what is typed into it, what stands on its screen."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.lacking import lacking
from tests.process_files import process_file

WAIT_S = 240.0
"""For a text to appear: a bound far beyond what a busy machine takes to load a small model, not a measure."""

_LOOK_S = 0.05
_COLUMNS, _LINES = 100, 40


class Terminal:
    """One command in a tmux session; once it ends, the screen says ``ended with`` and its exit code, and
    stays.

    Args:
        folder: for tmux's socket and as the working directory; its path must be short, as sockets' are.
        command: the program and its arguments.
        environment: of the program.
    """

    def __init__(self, folder: Path, command: Sequence[str], environment: dict[str, str]) -> None:
        if shutil.which("tmux") is None:
            lacking("no tmux on this machine", "test the chat in a terminal: install tmux")
        # A name of its own: a server that was told to end may still be there when the next one begins.
        self._socket = folder / f"tmux-{time.monotonic_ns()}"
        # The shell gets every Ctrl-C that the program gets, and must outlive it.
        script = f"trap : INT; {shlex.join(command)}; echo ended with $?; exec cat"
        self._tmux(
            "new-session", "-d", "-x", str(_COLUMNS), "-y", str(_LINES), "-c", str(folder),
            "sh", "-c", script,
            environment=environment | {"LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    def type(self, text: str) -> None:
        """Types the text, letter by letter."""
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Presses keys by tmux's names: Enter, C-c, Up."""
        self._tmux("send-keys", *keys)

    def enter(self, text: str) -> None:
        """Types a line at the prompt, sees it there, and enters it; what is typed before there is a prompt
        may be lost, as Ctrl-D is."""
        self.wait_for(at_prompt)
        self.type(text)
        self.wait_for(lambda lines: lines[-1].endswith(f"> {text}".rstrip()))
        self.accept()

    def accept(self) -> None:
        """Presses Enter and waits until the program has taken the line, which moves the cursor away from it:
        from then on the screen shows no old prompt, and Ctrl-C means what follows."""
        before = self._cursor()
        self.press("Enter")
        self._until(lambda: self._cursor() != before)

    def paste(self, text: str) -> None:
        """Pastes as a terminal's own paste does."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p", "-r")

    def lines(self) -> list[str]:
        """All lines so far, those that scrolled away too, without the blanks at their ends."""
        screen = self._tmux("capture-pane", "-p", "-J", "-S", "-")
        return [line.rstrip() for line in screen.rstrip().splitlines()]

    def wait_for(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """The lines, once they are as wanted; fails with the screen when they are not in time."""
        lines: list[str] = []

        def look() -> bool:
            nonlocal lines
            lines = self.lines()
            return seen(lines)

        self._until(look)
        return lines

    def wait_for_line(self, line: str, times: int = 1) -> list[str]:
        """Waits until a line stands on the screen, so often."""
        return self.wait_for(lambda lines: lines.count(line) >= times)

    def _until(self, true: Callable[[], bool]) -> None:
        until_s = time.monotonic() + WAIT_S
        while not true():
            if time.monotonic() > until_s:
                pytest.fail("not in time; the screen was:\n" + "\n".join(self.lines()))
            time.sleep(_LOOK_S)

    def _cursor(self) -> str:
        """Where the cursor is, counted from the first line that there ever was."""
        return self._tmux("display-message", "-p", "#{cursor_x},#{cursor_y},#{history_size}")

    def process(self) -> int:
        """The id of the program's process."""
        shell = self._shell()
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()
        return int(child)

    def close(self) -> None:
        """Ends the session, as the closing of a terminal's window does; what ran in it must end by that."""
        shell = self._shell()
        self._tmux("kill-server")
        until_s = time.monotonic() + WAIT_S
        while left := _of_session(shell):
            if time.monotonic() > until_s:
                pytest.fail(f"outlived its terminal: {left}")
            time.sleep(_LOOK_S)

    def _shell(self) -> int:
        """The id of the process that the terminal began with, which is its session's, too."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def _tmux(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-f", os.devnull, "-S", str(self._socket), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def at_prompt(lines: list[str]) -> bool:
    """Whether the chat waits for a line."""
    return bool(lines) and lines[-1].endswith(">")


def _of_session(session: int) -> dict[int, str]:
    """What runs in it, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        state, _, _, of, *_ = process_file(int(folder.name), "stat").rpartition(b")")[2].split() or [b""] * 4
        if state not in (b"", b"Z") and int(of) == session:
            found[int(folder.name)] = process_file(int(folder.name), "cmdline").replace(b"\0", b" ").decode()
    return found
