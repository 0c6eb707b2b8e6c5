"""A launcher of its own for the soak: three scripted models, and a folder for all that it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.launched import command_line

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("first", "second", "third")
PRESET = """\
name: {name}
title: {name}
kind: vision
sources: ["{folder}"]
engine: scripted
memory: {{session_tokens: 4096}}
generation: {{max_new_tokens: 2000}}
"""
END_S = 60


@dataclass(frozen=True)
class Launcher:
    """One that serves at ``url``; ``folder`` holds its presets, logs, uploads and temporary files."""

    url: str
    pid: int
    folder: Path

    def loads(self) -> dict[str, int]:
        """How often each model was loaded or woken so far."""
        told = httpx.get(f"{self.url}/metrics", trust_env=False, timeout=60).raise_for_status().text
        found = re.findall(r'^launcher_loads_total{model="(\w+)"} (\d+)', told, re.MULTILINE)
        return {model: int(count) for model, count in found}

    def left_behind(self) -> list[str]:
        """Files of its own that outlive it, logs aside."""
        kept = (self.folder / "presets", self.folder / "state")
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path) for path in files if not any(path.is_relative_to(each) for each in kept))


@contextmanager
def launched(folder: Path, *prefix: str, in_turns: bool = False) -> Iterator[Launcher]:
    """Serves until the block ends, then stops it by SIGTERM and makes sure that it goes.

    Args:
        folder: an empty one.
        prefix: a command that the launcher is started through.
        in_turns: its models do not fit together (``tests.soak.turns_server``).
    """
    for name in ("presets", "tmp", "state", "cache"):
        (folder / name).mkdir()
    for name in MODELS:
        preset = PRESET.format(name=name, folder=folder / "presets")
        (folder / "presets" / f"{name}.yaml").write_text(preset, encoding="utf-8")
    command = command_line("serve", "--presets", str(folder / "presets"), "--port", "0", "--metrics")
    if in_turns:
        command = [sys.executable, "-m", "tests.soak.turns_server"]
    own = {"TMPDIR": "tmp", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache", "GRADIO_TEMP_DIR": "tmp"}
    with (
        (folder / "presets" / "errors.txt").open("wb") as errors,
        subprocess.Popen(
            [*prefix, *command],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                **{name: str(folder / place) for name, place in own.items()},
            },
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Launcher(_address(process), process.pid, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_S)
            finally:
                process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"The page is at (\S+)", line):
            return found[1]
    raise AssertionError(f"the launcher ended with {process.wait()}")
