"""Logs of models: one for each launcher, bounded, and those of launchers that are gone make way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.workers.logs import KEPT_LOGS, log_path, remove_old_logs
from tests.workers.stage import Stage, question, read

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER = """
import sys
from pathlib import Path
from tests.workers.stage import Stage, question, read
with Stage(Path(sys.argv[1]), []).manager() as manager:
    read(manager.ask("one", question("/complain " + sys.argv[2])))
    sys.stdin.read(1)
    read(manager.ask("one", question("/print 1500")))
    print(manager.log_path("one"), flush=True)
"""


@pytest.fixture
def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_two_launchers_write_to_files_of_their_own(stage: Stage) -> None:
    """The first turns its log over while the second writes; nothing of the second's gets lost."""
    launchers = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(stage.folder), f"said by {number}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    paths = [Path(launcher.communicate("x")[0].strip()) for launcher in launchers]
    assert len(set(paths)) == 2
    for number, path in enumerate(paths):
        text = "".join(file.read_text() for file in path.parent.glob(f"{path.name}*"))
        assert f"said by {number}" in text
        assert f"said by {1 - number}" not in text


def write_log(folder: Path, name: str, age_s: int) -> Path:
    path = folder / name
    path.write_text("printed\n")
    os.utime(path, (1e9 - age_s, 1e9 - age_s))
    return path


def test_the_newest_logs_of_launchers_that_are_gone_are_kept_for_each_model(
    tmp_path: Path, ended_pid: int
) -> None:
    mine, other = log_path(tmp_path, "one"), tmp_path / "notes.txt"
    mine.write_text("mine")
    os.utime(mine, (1, 1))
    other.write_text("kept")
    ages = range(1, 2 * KEPT_LOGS + 1)
    old = [write_log(tmp_path, f"one.{ended_pid}.log" + ".1" * (age == 1), age) for age in (1, 2)]
    old += [write_log(tmp_path, "one.log", 3), write_log(tmp_path, "one.log.1", 4)]
    like = [write_log(tmp_path, f"one.5b-{age}.{ended_pid}.log", age) for age in ages]
    remove_old_logs(tmp_path)
    assert mine.exists()
    assert other.exists()
    assert [path.exists() for path in old] == [True, True, True, False]
    assert all(path.exists() for path in like), "another model's"
    remove_old_logs(tmp_path / "absent")


def test_an_error_that_sends_people_to_the_log_says_where_it_is(stage: Stage) -> None:
    manager = stage.manager(stage.model(loading="/raise oops"))
    answer = manager.ask("one", question("hello"))
    with pytest.raises(Exception, match="one failed while loading: RuntimeError: oops") as told:
        read(answer)
    path = manager.log_path("one")
    assert str(path) in str(told.value)
    manager.close()
    assert "RuntimeError: oops" in path.read_text()
