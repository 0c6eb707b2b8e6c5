"""Every command of the tutorials, run as a newcomer types it, in a fresh clone; only the set-up's downloads
are left out.

In a ``console`` block ``$ `` begins a command, ``> `` is typed into it, anything else is what it prints;
``…`` stands for whatever comes. A page is opened and stopped with Ctrl-C. The ssh tunnel is checked by ssh
itself, without connecting; a download finds no hub.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.free_port import free_port

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ["docs/tutorial.md", "docs/tutorial.zh-CN.md"]
PORT = "6006"
NO_HUB = "http://127.0.0.1:9"
"""The port that discards: nothing listens there."""
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "shared"
)


@dataclass(frozen=True)
class Step:
    """One command, what is typed into it, what it prints."""

    command: str
    typed: list[str]
    printed: list[str]


def steps(document: str) -> Iterator[Step]:
    text = (ROOT / document).read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from steps_of(block)


def assert_same_steps(english: Iterable[Step], chinese: Iterable[Step], least: int) -> None:
    """But for what a person types in their own language."""
    ours, theirs = ([re.sub(r'".*"|<.*>', "", step.command) for step in each] for each in (english, chinese))
    assert len(ours) >= least
    assert ours == theirs


def steps_of(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *rest = part.splitlines()
        yield Step(
            command,
            [line[2:] for line in rest if line.startswith("> ")],
            [line for line in rest if not line.startswith("> ")],
        )


class Newcomer:
    """A shell that keeps its folder and its variables between commands."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "work"
        self.folder.mkdir(parents=True)
        kept = {
            name: os.environ[name]
            for name in ("PATH", "LANG", "TMPDIR", "OMP_NUM_THREADS", "LD_LIBRARY_PATH")
            if name in os.environ
        }
        self.environment = kept | {
            "HOME": str(home),
            "COLUMNS": "200",
            "PYTHONPATH": str(self.folder / "launcher"),
        }
        self.environment |= {"HF_ENDPOINT": NO_HUB, "CUDA_VISIBLE_DEVICES": ""}
        self._state = home / "state"

    def run(self, step: Step, command: str) -> subprocess.CompletedProcess[str]:
        ends = f"code=$?; pwd > {self._state}; env -0 >> {self._state}; exit $code"
        done = subprocess.run(
            ["bash", "-c", f"{command}\n{ends}"], cwd=self.folder, env=self.environment,
            text=True, check=False,
            input="".join(f"{line}\n" for line in step.typed), capture_output=True,
        )  # fmt: skip
        folder, _, variables = self._state.read_text(encoding="utf-8").partition("\n")
        self.folder = Path(folder)
        self.environment = dict(each.split("=", 1) for each in variables.split("\0") if each)
        return done

    @contextmanager
    def running(self, command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """A command in a process group of its own, as in a terminal; it must be gone in the end."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment | variables, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def serve(self, command: str) -> str:
        """Opens the page that the command serves, then presses Ctrl-C; what was printed before that."""
        port = str(free_port())
        url = f"http://127.0.0.1:{port}"
        with self.running(command.replace(PORT, port), ARGS=f"--port {port}") as process:
            assert process.stdout is not None
            said = []
            while not said or "ssh -CNg" not in said[-1]:
                said.append(process.stdout.readline().replace(port, PORT).rstrip("\n"))
                assert said[-1] or process.poll() is None, said
            assert httpx.get(url, trust_env=False, timeout=None).status_code == 200
            os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate()
            assert "Traceback" not in rest
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
        return "\n".join(said)


def assert_printed(step: Step, printed: str) -> None:
    """``…`` is any text; alone on a line, any lines."""
    patterns = [
        r"(.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\s*\n"
        for line in step.printed
    ]
    assert re.fullmatch("".join(patterns), printed.rstrip("\n") + "\n" if step.printed else ""), (
        step.command,
        printed,
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is here now, as a repository to clone."""
    folder = tmp_path_factory.mktemp("origin") / "launcher"
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    author = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "now"]):
        subprocess.run(["git", *author, *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def served() -> dict[str, str]:
    """What each command that serves a page has printed: the same in both languages, so it is run once."""
    return {}


def set_up(clone: Path) -> None:
    """What ``make setup`` leaves behind, with the packages of these tests instead of downloaded ones."""
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("python", ""), ("launcher", "-m launcher ")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module}"$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    for stamp in (".set-cpu", ".set-gpu"):
        (clone / ".venv" / stamp).touch()


def check_tunnel(step: Step) -> None:
    """ssh reads the command and says what it would do."""
    command = step.command.replace("-p port", "-p 2222").split()
    done = subprocess.run([command[0], "-G", *command[1:]], capture_output=True, text=True, check=True)
    for line in ("user user", "hostname host", "port 2222", f"localforward {PORT} [127.0.0.1]:{PORT}"):
        assert line in done.stdout.splitlines()


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.timeout(1800)  # two dozen programs, a dozen of which load a model
def test_every_command_does_what_the_tutorial_says(
    document: str, repository: Path, served: dict[str, str], tmp_path: Path
) -> None:
    newcomer = Newcomer(tmp_path / "home")
    # What is the same to the letter, and changes nothing, is run once.
    seen_in_english = [] if document == DOCUMENTS[0] else list(steps(DOCUMENTS[0]))
    for step in steps(document):
        words = step.command.split()
        if words[0] == "launcher" and step in seen_in_english:
            continue
        if words[0] == "ssh":
            check_tunnel(step)
        elif words[:2] in (["make", "serve-vl"], ["launcher", "serve"]):
            if step.command not in served:
                served[step.command] = newcomer.serve(step.command)
            assert_printed(step, served[step.command])
        else:
            command = re.sub(r"<.*?>", str(repository), step.command)
            command = re.sub("doctor$", f"doctor --port {free_port()}", command)
            done = newcomer.run(step, command)
            if words[:2] == ["launcher", "pull"]:
                assert (done.returncode, f"{NO_HUB} is not reached" in done.stderr) == (3, True), done.stderr
                continue
            assert done.returncode == 0, (step.command, done.stdout, done.stderr)
            assert_printed(step, done.stdout)
        if words[0] == "git":
            set_up(newcomer.folder)


def test_the_tutorials_have_the_same_steps() -> None:
    assert_same_steps(*map(steps, DOCUMENTS), least=16)
