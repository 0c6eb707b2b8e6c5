"""Paths as a person writes them -> paths, and the user's own folders: the one place that knows what ``~`` is.

A user need not have a home: in a container HOME may be unset and the user's number unknown to the system.
Nothing is ever read from or written to a folder whose name is a tilde by mistake.
"""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from launcher.errors import LauncherError, RequestError

_OURS = "launcher"


def home() -> Path | None:
    """The user's home folder; None where neither HOME nor the system's list of users says it."""
    try:
        return Path.home().absolute()
    except (RuntimeError, OSError):
        return None


def expanded(text: str) -> Path:
    """A path whose ``~`` or ``~user`` at the start is a home folder, as in a preset or a variable.

    ``./~x`` is a file named ``~x``, which is why this takes a text: a ``Path`` has forgotten the ``./``.

    Raises:
        RequestError: nobody knows that home folder.
    """
    if not text.startswith("~"):
        return Path(text)
    user = text[1:].partition("/")[0]
    if user == "" and home() is None:
        raise RequestError(
            "{path} begins with the home folder, and this user has none",
            "Write the whole path, or say where home is: export HOME=/path",
            path=text,
        )
    found = os.path.expanduser(text)  # noqa: PTH111 - Path's raises another error for each Python
    if found == text:
        raise RequestError(
            "{path}: there is no user {user}",
            "Write the whole path; a file whose own name begins so is ./{path}",
            path=text,
            user=user,
        )
    return Path(found)


def typed(text: str) -> Path:
    """A path as it was typed in a command, where a shell may have read it first: what a shell leaves as it
    is, ``~x`` where there is no user x, is a file's own name.

    Raises:
        RequestError: it is empty, or begins with the user's own home, and there is none.
    """
    if not text:  # it would mean the folder that the command is typed in
        raise RequestError(
            "A path that was given is empty",
            "Is a variable of the shell unset? Write the path, or leave the option out.",
        )
    try:
        return expanded(text)
    except RequestError:
        if text == "~" or text.startswith("~/"):
            raise
        return Path(text)


def named_by(variable: str) -> Path | None:
    """The folder that an environment variable names, its ``~`` expanded; None where it is unset or empty.

    Raises:
        RequestError: it begins with a home folder that nobody knows.
    """
    text = os.environ.get(variable)
    return expanded(text) if text else None


def state_folder() -> Path:
    """Where the launcher keeps logs and what was typed: ``$XDG_STATE_HOME/launcher``, else
    ``~/.local/state/launcher``; without a home in a temporary folder that is this user's alone."""
    return _own("XDG_STATE_HOME", ".local/state")


def config_folder() -> Path:
    """Where the user keeps presets of their own: ``$XDG_CONFIG_HOME/launcher``, else ``~/.config/launcher``;
    without a home in a temporary folder that is this user's alone."""
    return _own("XDG_CONFIG_HOME", ".config")


def cache_folder() -> Path:
    """Where the launcher keeps what it can make anew: ``$XDG_CACHE_HOME/launcher``, else
    ``~/.cache/launcher``; without a home in a temporary folder that is this user's alone."""
    return _own("XDG_CACHE_HOME", ".cache")


def _own(variable: str, below_home: str) -> Path:
    try:
        base = named_by(variable)
    except LauncherError:
        base = None
    if base is not None and base.is_absolute():  # as the XDG specification has it: others are ignored
        return base / _OURS
    house = home()
    return house / below_home / _OURS if house else _without_home() / below_home / _OURS


@cache
def _without_home() -> Path:
    """The same folder for each process of this user, unless somebody else has taken its name."""
    folder = Path(tempfile.gettempdir()) / f"launcher-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="launcher-"))
    private = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
    return folder if private else Path(tempfile.mkdtemp(prefix="launcher-"))


def is_file(path: Path) -> bool:
    """Whether there is a file that can be looked at; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be looked at; a name that no folder can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
