"""The launcher's command line as a person runs it: another process, its output, its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.fork_server import ROOT, ForkServer
from tests.launched import command_line
from tests.process_files import process_file

Launch = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A bare machine: a home of its own, no GPU, no models, the launcher and the tests importable."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LAUNCHER_", "HF_", "MODELSCOPE", "XDG_"))
    }
    return {
        **kept,
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        "CUDA_VISIBLE_DEVICES": "",
    }


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def launch(tmp_path: Path, environment: dict[str, str], fork_server: ForkServer) -> Launch:
    """Runs one command to its end, in ``tmp_path``; ``typed`` is its standard input."""

    def run(*arguments: str, typed: str | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
        if not any(name.startswith("PYTHON") for name in changes):
            return fork_server.run(arguments, tmp_path, environment | changes, typed)
        if "PYTHONPATH" in changes:
            changes["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
        return subprocess.run(  # what the interpreter itself reads needs a new one
            command_line(*arguments),
            cwd=tmp_path,
            env=environment | changes,
            input=typed,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )

    return run


@pytest.fixture(autouse=True)
def _hang_ups_end_commands() -> Iterator[None]:
    """Under nohup all that pytest starts would ignore them."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts one command in a process group of its own, which is gone when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command_line(*arguments),
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that are not yet gone."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    lists = [process_file(pid, f"task/{task.parent.name}/children") for task in tasks]
    return [int(child) for children in lists for child in children.split()]


def eventually(true: Callable[[], object], seconds: float = 120.0) -> None:
    """Waits until something is so that nobody tells of."""
    until_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until_s, "not in time"
        time.sleep(0.05)


@pytest.fixture
def stand_ins(tmp_path: Path) -> str:
    """A PYTHONPATH on which the heavy packages that the doctor imports are empty files: their import is not
    what most tests are about."""
    folder = tmp_path / "stand_ins"
    folder.mkdir()
    for name in ("gradio", "torch", "transformers"):
        (folder / f"{name}.py").touch()
    return f"{folder}:{ROOT}"


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    """A preset file of the scripted engine, which takes pictures."""
    file = tmp_path / "scripted.yaml"
    file.write_text(
        f"name: scripted\ntitle: Script\nkind: vision\nsources: ['{tmp_path}']\nengine: scripted\n",
        encoding="utf-8",
    )
    return file
