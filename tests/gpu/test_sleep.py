"""On a GPU: LMDeploy's engines sleep and wake behind the whole launcher; answers and memory stay what they
were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.devices import read_devices
from launcher.workers.gpu_memory import seen_on
from launcher.workers.manager import Manager
from launcher.workers.states import ProcessState
from tests.gpu.crowded import ENGINES, crowded_manager
from tests.gpu.test_known_answers import GPU, ask, cases

pytestmark = list(GPU)
QUESTIONS = 6
ROUNDS = 8
SPREAD_BYTES = 16 << 20


@pytest.fixture
def manager() -> Iterator[Manager]:
    with crowded_manager() as manager:
        yield manager


def test_answers_and_memory_are_the_same_after_every_sleep(manager: Manager, tmp_path: Path) -> None:
    told: dict[str, list[str]] = {}
    used: list[int] = []
    for _ in range(ROUNDS):
        for name in ENGINES:
            answers = [ask(manager, name, messages) for messages, _ in cases(name, tmp_path)[:QUESTIONS]]
            assert told.setdefault(name, answers) == answers
        seen = seen_on(read_devices().gpus[0].uuid, {})
        assert seen is not None
        used.append(-seen.free_bytes)
    sleeping = [one.name for one in manager.statuses() if one.process is ProcessState.SLEEPING]
    assert len(sleeping) == len(ENGINES) - 1
    assert max(used[2:]) <= used[1] + SPREAD_BYTES, used
