"""The built-in picture models, quantised by the command, give the known answers in four bits on LMDeploy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.demo.judging import judge
from launcher.demo.known_answers import held_out_cases
from launcher.demo.pictures import encode
from launcher.devices import read_devices
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.gpu.test_known_answers import GPU

MOST_LOST = 0.01
PICTURES = 20

pytestmark = list(GPU)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both checkpoints."""
    folder = tmp_path_factory.mktemp("four-bits")
    environment = {**os.environ, "LAUNCHER_MODELS": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    for name in ("shapes-internvl2", "shapes-xcomposer2"):
        command = [sys.executable, "-m", "launcher", "quantize", name]
        subprocess.run(command, check=True, env=environment)
    return folder


def right(manager: Manager, name: str, folder: Path) -> float:
    """The share of right answers."""
    found = []
    for case in held_out_cases(PICTURES, first=5000):
        file = folder / f"scene-{case.scene.seed}"
        file.write_bytes(encode(case.scene))
        request = ChatRequest(
            (Message("user", case.question.text, (file,)),), GenerationOptions(max_new_tokens=64)
        )
        found.append(judge(case.question, "".join(chunk.text for chunk in manager.ask(name, request))))
    return sum(found) / len(found)


@pytest.mark.parametrize(
    ("name", "engine"), [("shapes-internvl2", "turbomind"), ("shapes-xcomposer2", "pytorch")]
)
def test_known_answers_in_four_bits(made: Path, tmp_path: Path, name: str, engine: str) -> None:
    full = read_presets().find(name).model_copy(update={"engine": engine})
    small = full.model_copy(update={"name": f"{name}-awq", "sources": (str(made / f"{name}-awq"),)})
    found = [assess(preset, read_devices(), installed_engines()) for preset in (full, small)]
    with Manager(runnable_models(found)) as manager:
        before, after = (right(manager, preset.name, tmp_path) for preset in (full, small))
    assert after >= before - MOST_LOST
