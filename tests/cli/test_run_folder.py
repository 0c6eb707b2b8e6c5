"""The folder of a run: gone however it ends, and what a killed run left is gone with the next start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.cli.run_folder import run_folder
from tests.cli.conftest import ROOT

HOLDER = """
import sys
from launcher.cli.run_folder import run_folder
with run_folder() as folder:
    (folder / "below").mkdir()
    (folder / "below" / "upload.png").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


def a_run() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def folder_of(run: subprocess.Popen[str]) -> Path:
    assert run.stdout is not None
    return Path(run.stdout.readline().strip())


def test_it_is_this_users_alone_and_gone_afterwards() -> None:
    with run_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not folder.exists()


def test_what_a_killed_run_left_is_deleted_and_a_living_ones_is_not() -> None:
    with a_run() as living, a_run() as killed:
        kept, left = folder_of(living), folder_of(killed)
        killed.kill()
        killed.wait()
        assert left.is_dir()
        with run_folder():
            assert not left.exists()
            assert (kept / "below" / "upload.png").is_file()
        living.communicate("")
        assert not kept.exists()


def test_other_folders_stay(temporary: Path) -> None:
    """Of another program with such a name, of another kind, and behind a link."""
    other = temporary / "launcher-of-a-game"
    other.mkdir()
    (temporary / "launcher-file").touch()
    (temporary / "launcher-link").symlink_to(other)
    with run_folder():
        pass
    assert {path.name for path in temporary.iterdir()} == {
        "launcher-of-a-game",
        "launcher-file",
        "launcher-link",
    }


def test_many_starts_at_once_take_nothing_from_each_other() -> None:
    runs = [a_run() for _ in range(8)]
    folders = [folder_of(run) for run in runs]
    assert len(set(folders)) == len(runs)
    assert all((folder / "below" / "upload.png").is_file() for folder in folders)
    for run in runs:
        run.communicate("")
    assert not any(folder.exists() for folder in folders)
