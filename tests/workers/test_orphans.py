"""Launchers that end in every way: no worker survives, and a Ctrl-C is for the launcher alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.stage import alive, gone

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER = """
import signal, sys, threading
from pathlib import Path
from tests.workers.stage import Stage, children, question, status, wait_until
stage = Stage(Path(sys.argv[1]), [])
with stage.manager() as manager:
    answer = manager.ask("one", question(sys.argv[2]))
    wait_until(manager, lambda: status(manager).running == 1)
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    print(*children(), flush=True)
    interrupted.wait()
    print(*children(), status(manager).running, flush=True)
assert "torch" not in sys.modules
print("closed", flush=True)
"""


@pytest.fixture(params=["/stall", "/hang"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path), request.param],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.kill()


def test_a_launcher_that_is_killed_leaves_no_worker(launcher: subprocess.Popen[str]) -> None:
    assert launcher.stdout is not None
    worker = int(launcher.stdout.readline())
    assert alive(worker)
    launcher.kill()
    gone(worker)


def test_ctrl_c_reaches_the_launcher_alone(launcher: subprocess.Popen[str]) -> None:
    assert launcher.stdout is not None
    worker = int(launcher.stdout.readline())
    os.killpg(launcher.pid, signal.SIGINT)
    assert launcher.stdout.readline().split() == [str(worker), "1"]
    assert launcher.stdout.readline() == "closed\n"
    assert launcher.wait(30) == 0
    assert not alive(worker)
