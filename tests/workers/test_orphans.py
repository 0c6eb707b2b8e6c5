"""Launchers that end in every way: no worker survives, and a Ctrl-C is for the launcher alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.workers.leftovers import MARK
from tests.workers.stage import alive, gone

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER = """
import signal, sys
from pathlib import Path
from queue import SimpleQueue
from tests.workers.stage import Stage, children, question, status, wait_until
stage = Stage(Path(sys.argv[1]), [])
with stage.manager() as manager:
    answer = manager.ask("one", question(sys.argv[2]))
    wait_until(manager, lambda: status(manager).running == 1)
    interrupted = SimpleQueue()  # an Event may not be set by a handler while this thread is in its wait
    signal.signal(signal.SIGINT, lambda *_: interrupted.put(True))
    print(*children(), flush=True)
    interrupted.get()
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


FAMILY = """
import sys, threading
from pathlib import Path
from tests.workers.stage import Stage, children, question, read
manager = Stage(Path(sys.argv[1]), []).manager()
for command in ("/spawn", "/detach"):
    print(read(manager.ask("one", question(command))), flush=True)
answer = manager.ask("one", question("/hang"))
threading.Event().wait()
"""


def test_a_launcher_that_is_killed_leaves_nothing_of_what_its_workers_spawned(tmp_path: Path) -> None:
    """Be it in a session of its own, and though the worker hangs."""
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        spawned = [int(process.stdout.readline()) for _ in range(2)]
        assert all(map(alive, spawned))
        process.kill()
    for pid in spawned:
        gone(pid)


def test_the_watcher_ends_with_its_launcher(tmp_path: Path) -> None:
    """However that ends, nothing with the launcher's marks is left, the watcher itself included."""
    program = (
        "import sys; from launcher.workers.leftovers import Leftovers; left = Leftovers();"
        " print(left.new_mark(), left._token, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        mark, token = process.stdout.readline().split()
        (watcher,) = watching(token)
        marked = subprocess.Popen(
            [sys.executable, "-c", "import threading; threading.Event().wait()"],
            env={**os.environ, MARK: mark},
            start_new_session=True,
        )
        process.kill()
    assert marked.wait(30) == -signal.SIGKILL
    gone(watcher)


def watching(token: str) -> list[int]:
    return [
        int(line.parent.name)
        for line in Path("/proc").glob("[0-9]*/cmdline")
        if token.encode() in line.read_bytes() and b"watch(" in line.read_bytes()
    ]


def test_ctrl_c_reaches_the_launcher_alone(launcher: subprocess.Popen[str]) -> None:
    assert launcher.stdout is not None
    worker = int(launcher.stdout.readline())
    os.killpg(launcher.pid, signal.SIGINT)
    assert launcher.stdout.readline().split() == [str(worker), "1"]
    assert launcher.stdout.readline() == "closed\n"
    assert launcher.wait(30) == 0
    assert not alive(worker)
