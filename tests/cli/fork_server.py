"""Commands of the launcher that start at once. ``python -m tests.cli.fork_server FD MODULES`` imports what
commands import, and these modules, then forks for each command that it is told of: a process of its own, with
its own folder, environment, standard streams and end, as if it was typed; only the second that its imports
take was spent before.

What reads the environment when it is imported is not imported before, unless the modules do: huggingface_hub,
gradio.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from launcher.cli.commands import SUMMARIES

IMPORTED = (
    *(f"launcher.cli.{name}" for name in SUMMARIES),
    *("launcher.cli.presets_view", "launcher.downloads", "httpx2", "rich.progress", "tqdm.auto"),
)
MAX_COMMAND_BYTES = 2**20
ROOT = Path(__file__).resolve().parents[2]


class ForkServer:
    """The server as tests ask it, one command at a time.

    Args:
        also: modules that only these commands import.
    """

    def __init__(self, *also: str) -> None:
        self._also = also
        self._start()

    def _start(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.fork_server", str(theirs.fileno()), *self._also],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                # Pipes, as a command's are: Python asks its streams at the start whether they can be wound.
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self, arguments: Sequence[str], folder: Path, environment: dict[str, str], typed: str | None
    ) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` of the command, with what is typed into it and all that it prints as text;
        nothing typed is an empty input."""
        ends = [os.pipe() for _ in range(3)]
        (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = ends
        told = {"arguments": arguments, "folder": str(folder), "environment": environment}
        socket.send_fds(self._ours, [json.dumps(told).encode()], [stdin, stdout, stderr])
        for each in (stdin, stdout, stderr):
            os.close(each)
        child = 0
        with ThreadPoolExecutor(3) as threads:
            try:
                child = self._told()
                threads.submit(_write, to_stdin, typed or "")
                output, errors = threads.map(_read, (from_stdout, from_stderr))
                status = self._told()
            except BaseException:  # a test's time is up: what the server says of this command is for nobody
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child or self._process.pid, signal.SIGKILL)
                self.close()
                self._start()
                raise
        return subprocess.CompletedProcess(arguments, os.waitstatus_to_exitcode(status), output, errors)

    def _told(self) -> int:
        if not (said := self._ours.recv(64)):
            raise RuntimeError(f"the server has ended: {self._process.communicate()[0].decode()}")
        return int(said)

    def close(self) -> None:
        """Ends the server."""
        self._ours.close()
        self._process.communicate()


def _write(end: int, text: str) -> None:
    with open(end, "w", encoding="utf-8", errors="surrogateescape") as opened:
        opened.write(text)


def _read(end: int) -> str:
    with open(end, encoding="utf-8", errors="surrogateescape") as opened:
        return opened.read()


def serve(told: socket.socket) -> dict[str, Any] | None:
    """Answers each command, which comes with its three streams, with its process's id, and then with what
    ``waitpid`` says of it. Returns the command in that process, and None in the server's when nobody tells it
    anything any more."""
    while True:
        command, streams, _, _ = socket.recv_fds(told, MAX_COMMAND_BYTES, 3)
        if not command:
            return None
        if (child := os.fork()) == 0:
            told.close()
            for number, each in enumerate(streams):
                os.dup2(each, number)
                os.close(each)
            found: dict[str, Any] = json.loads(command)
            return found
        for each in streams:
            os.close(each)
        told.send(str(child).encode())
        told.send(str(os.waitpid(child, 0)[1]).encode())


def become(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """What ``python -m tests.launched`` does with these arguments, in this folder and environment."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    sys.argv[1:] = arguments
    runpy.run_module("tests.launched", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in (*IMPORTED, *sys.argv[2:]):
        importlib.import_module(name)
    gc.freeze()  # what is here is nothing that a command has to clean up at its end
    if (command := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        become(**command)
