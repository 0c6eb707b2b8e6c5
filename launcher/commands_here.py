"""How a command is typed here: the one place that turns the launcher's own commands, and pip's, into what a
person can copy.

Where ``launcher`` is on the path and is this very launcher, it is called by its name; else by the path of
its program (``.venv/bin/launcher``), from the working folder where it lies below it. Words are quoted for a
shell.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

LAUNCHER = "launcher"


def command(*words: str | Path, presets: Sequence[str | Path] = ()) -> str:
    """A command of the launcher, exactly as it can be typed here: ``command("pull", "internvl2-2b")``.

    Args:
        words: the command's name, its arguments and options, unquoted.
        presets: preset files or folders that it has to be given with ``--presets`` to know the preset.
    """
    options = [word for path in presets for word in ("--presets", path)]
    return f"{program()} {shlex.join(_word(word) for word in (*words, *options))}"


def _word(word: str | Path) -> str:
    """A path that begins like a home folder or an option is written so that it is neither."""
    return f"./{word}" if isinstance(word, Path) and str(word).startswith(("~", "-")) else str(word)


def program(name: str = LAUNCHER) -> str:
    """A program of this environment, quoted: by its name where the path leads to it, else by its own path.

    A launcher that has no program of its own is ``python -m launcher``; another program that is not installed
    here is called by its name.
    """
    files = [file for file in _files(name) if file.is_file()]
    found = shutil.which(name)
    if found and any(os.path.realpath(found) == os.path.realpath(file) for file in files):
        return name
    if files:
        return shlex.quote(_from_here(files[0]))
    return f"{python()} -m {LAUNCHER}" if name == LAUNCHER else name


def pip_install(*requirements: str) -> str:
    """What installs packages into the environment that the launcher runs in."""
    return f"{python()} -m pip install {shlex.join(requirements)}"


def python() -> str:
    """The Python that the launcher runs with, quoted."""
    ours = Path(sys.executable)
    found = shutil.which(ours.name)
    # Folders are compared, not files: an environment's Python is a link to one that has other packages.
    if found and os.path.realpath(Path(found).parent) == os.path.realpath(ours.parent):
        return ours.name
    return shlex.quote(_from_here(ours))


def _files(name: str) -> list[Path]:
    """Where this environment may have a program: what this process was started as, or beside Python."""
    started = [Path(sys.argv[0])] if Path(sys.argv[0]).name == name else []
    return [*started, Path(sys.executable).with_name(name)]


def _from_here(file: Path) -> str:
    """The path from the working folder where it lies below it, else the absolute one; never a bare name."""
    absolute = os.path.abspath(file)  # noqa: PTH100 - links stay as they were typed
    below = os.path.relpath(absolute)
    if below.startswith(os.pardir):
        return absolute
    return below if os.sep in below else os.path.join(os.curdir, below)  # noqa: PTH118 - Path drops "./"
