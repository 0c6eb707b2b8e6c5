"""What ``~`` is, with and without a home; in a process of its own, as a user without one has it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launcher.errors import RequestError
from launcher.user_folders import cache_folder, expanded, home, named_by, state_folder, typed

ROOT = Path(__file__).resolve().parent.parent
NOBODY_KNOWS = 54_321
"""A user's number that no list of users has."""


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_tilde_is_home_at_the_start_alone(house: Path) -> None:
    assert expanded("~") == expanded("~/") == home() == house
    assert expanded("~/a b") == typed("~/a b") == house / "a b"
    assert expanded("./~x") == typed("./~x") == Path("~x")
    assert expanded("a/~/b") == Path("a/~/b")
    assert expanded("~root/x") == Path("/root/x")


def test_a_user_that_is_not_there_is_an_error_in_a_file_and_a_name_in_a_command() -> None:
    with pytest.raises(RequestError, match=r"~no\.one/x: there is no user no\.one"):
        expanded("~no.one/x")
    assert typed("~no.one/x") == Path("~no.one/x")


def test_an_empty_path_in_a_command_is_not_the_folder_that_it_is_typed_in() -> None:
    """``--to "$UNSET"`` is that."""
    with pytest.raises(RequestError, match="is empty"):
        typed("")


def test_variables_that_are_no_whole_path_are_not_taken(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (state_folder(), cache_folder()) == (house / ".local/state/launcher", house / ".cache/launcher")
    monkeypatch.setenv("XDG_STATE_HOME", "~/state")
    assert state_folder() == house / "state/launcher"
    for wrong in ("state", "", "~no.one/state"):
        monkeypatch.setenv("XDG_STATE_HOME", wrong)
        assert state_folder() == house / ".local/state/launcher"
    monkeypatch.setenv("ANY", "~/models")
    assert (named_by("ANY"), named_by("NOT_SET_AT_ALL")) == (house / "models", None)


WITHOUT_HOME = f"""
import os, sys
sys.path.insert(0, sys.argv[1])
import pwd, tempfile
from launcher.user_folders import expanded, home, state_folder, typed
os.setuid({NOBODY_KNOWS})
assert home() is None
for text in ('~', '~/x'):
    for read in (expanded, typed):
        try:
            read(text)
        except Exception as error:
            assert 'this user has none' in str(error), error
        else:
            raise AssertionError(text)
print(state_folder())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user whom nobody knows")
@pytest.mark.parametrize("taken", [False, True])
def test_without_a_home(taken: bool) -> None:
    """Logs and caches go to a folder of this user's alone, the same each time; where its name is taken by
    somebody else, to a new one."""
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    with tempfile.TemporaryDirectory() as temporary:  # pytest's own folders are closed to other users
        Path(temporary).chmod(0o777)
        ours = Path(temporary) / f"launcher-{NOBODY_KNOWS}"
        if taken:
            ours.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_HOME, ROOT],
            env={**environment, "TMPDIR": temporary},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        folder = Path(done.stdout.strip()).parents[2]
        assert folder.stat().st_uid == NOBODY_KNOWS
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder == ours) is not taken
