"""The built-in models in the layouts of other families (``tests/models/rewritten.py``) give the known answers
behind the whole launcher; on LMDeploy's engines, too, where there is an NVIDIA GPU.

    python -m pytest tests/gpu/test_rewritten_answers.py -m gpu
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from launcher.devices import read_devices
from launcher.presets import ChatSettings, read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.gpu.test_known_answers import GPU, LEAST_RIGHT, LEAST_SAME, ask, cases
from tests.models.rewritten import REWRITTEN


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rewritten")


@cache
def answers(name: str, engine: str, folder: Path) -> Sequence[str]:
    """What that model says to every case of the built-in one whose weights it has."""
    model = REWRITTEN[name]
    checkpoint = folder / name
    if not checkpoint.exists():
        model.write(checkpoint)
    preset = read_presets().find(model.origin)
    changes = {
        "name": name,
        "sources": (str(checkpoint),),
        "engine": engine,
        "chat": ChatSettings(),
        "memory": preset.memory.model_copy(update=model.memory),
    }
    found = assess(preset.model_copy(update=changes), read_devices(), installed_engines())
    assert found.plan or engine == "transformers", found
    with Manager(runnable_models([found])) as manager:
        return [ask(manager, name, messages) for messages, _ in cases(model.origin, folder)]


@pytest.mark.parametrize("name", REWRITTEN)
@pytest.mark.parametrize(
    "engine",
    ["transformers", pytest.param("turbomind", marks=GPU), pytest.param("pytorch", marks=GPU)],
)
def test_known_answers(name: str, engine: str, folder: Path) -> None:
    given = answers(name, engine, folder)
    right = [
        is_right(text)
        for (_, is_right), text in zip(cases(REWRITTEN[name].origin, folder), given, strict=True)
    ]
    assert sum(right) >= LEAST_RIGHT * len(right), f"{sum(right)} of {len(right)}"
    reference = answers(name, "transformers", folder)
    same = sum(a == b for a, b in zip(given, reference, strict=True))
    assert same >= LEAST_SAME * len(given), f"{same} of {len(given)} are the transformers engine's"
