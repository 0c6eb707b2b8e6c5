"""``launcher pull`` as a person runs it, against a server on this machine that plays both hubs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Launch
from tests.downloads.hub import PlayedHub, asking, played_hub

MODEL = "org/tiny.1b"
HUBS = ("hf", "modelscope")


@pytest.fixture
def hub() -> Iterator[PlayedHub]:
    with played_hub(MODEL) as played:
        yield played


@pytest.fixture
def environment(environment: dict[str, str], hub: PlayedHub, tmp_path: Path) -> dict[str, str]:
    """Both hubs are the played one."""
    return {**asking(hub, environment), "TMPDIR": str(tmp_path)}


@pytest.fixture(autouse=True)
def preset(tmp_path: Path) -> Path:
    sources = ["${LAUNCHER_MODELS}/tiny", f"hf:{MODEL}", f"modelscope:{MODEL}"]
    file = tmp_path / "tiny.yaml"
    file.write_text(
        f"name: tiny\ntitle: Tiny\nkind: text\nengine: transformers\nsources: {json.dumps(sources)}\n",
        encoding="utf-8",
    )
    return file


def pull(launch: Launch, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return launch("pull", "tiny", "--presets", "tiny.yaml", *arguments, **changes)


def folder_of(done: subprocess.CompletedProcess[str]) -> Path:
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().partition("tiny is in ")[2])


def state(launch: Launch, **changes: str) -> str:
    (found,) = json.loads(launch("presets", "tiny.yaml", "--json", **changes).stdout)
    return str(found["state"])


def failed(done: subprocess.CompletedProcess[str], code: int = 3) -> str:
    """What a command that failed said, in two lines: what is wrong, and what to type."""
    assert (done.returncode, done.stdout) == (code, "")
    *_, sentence, hint = done.stderr.splitlines()
    assert sentence.startswith("launcher: ")
    assert "Traceback" not in done.stderr
    return f"{sentence}\n{hint}"
