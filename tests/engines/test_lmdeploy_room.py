"""Whom the scheduler lets come back to a card, LMDeploy's engine finds room for there, and for no more.

What stands in for the card is what PyTorch says of its free memory and the driver of the process; for the
pipeline that sleeps, a record of its wakings.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from launcher import families
from launcher.engine_costs import EngineKind
from launcher.engines import lmdeploy
from launcher.engines.base import EngineSpec
from launcher.errors import OutOfMemory
from launcher.families import model_sizes
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.presets import Preset, read_presets
from launcher.workers.residency import Resident, fits, held
from tests.published import KNOWN_CONFIGS

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

from launcher.engines.lmdeploy import LmdeployEngine

SERVED = [
    (preset, engine)
    for preset in read_presets().presets
    if preset.name in KNOWN_CONFIGS
    for engine in ("turbomind", "pytorch")
    if engine in families.of(KNOWN_CONFIGS[preset.name]).engines
]
OTHERS_BYTES = 700 * 2**20
"""What sleeps beside it."""


class RecordedSleeper:
    """A pipeline asleep."""

    sleeps = True

    def __init__(self) -> None:
        self.woken = 0

    async def wake(self) -> None:
        self.woken += 1


@pytest.fixture(params=SERVED, ids=lambda one: f"{one[0].name}-{one[1]}")
def planned(request: pytest.FixtureRequest) -> tuple[Preset, MemoryPlan]:
    preset, engine = request.param
    return preset, plan_of(preset, engine)


def plan_of(preset: Preset, engine: EngineKind) -> MemoryPlan:
    memory = preset.memory.model_copy(update={"gpu_budget_gib": 12.0})
    return plan_memory(memory, model_sizes(KNOWN_CONFIGS[preset.name]), engine, Card(80 * GIB, 80 * GIB))


def engine_of(preset: Preset, plan: MemoryPlan) -> LmdeployEngine:
    return LmdeployEngine(EngineSpec(plan.engine, preset, Path("x"), "cuda:0", plan, makes_room=True))


def has_free(card: pytest.MonkeyPatch, free_bytes: int) -> None:
    card.setattr(torch.cuda, "is_available", lambda: True)
    card.setattr(torch.cuda, "mem_get_info", lambda: (free_bytes, 80 * GIB))


def smallest_budget(plan: MemoryPlan) -> int:
    """Of a card on which the scheduler lets the model come beside another one that sleeps."""
    other = Resident("other", OTHERS_BYTES, True, 0.0, OTHERS_BYTES, asleep=True)
    budget_bytes = plan.peak_bytes + held([other])
    assert fits(plan.peak_bytes, budget_bytes, [other])
    assert not fits(plan.peak_bytes, budget_bytes - 1, [other])
    return budget_bytes


@pytest.mark.parametrize("more_bytes", [None, -100 * 2**20, 300 * 2**20])
async def test_who_may_come_back_wakes(
    planned: tuple[Preset, MemoryPlan], more_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asleep it holds more than CUDA's context, which the check had taken off alone: Qwen3.5 on the PyTorch
    engine was let in, found too little, and was loaded anew at each change of tabs. The driver may tell that
    it holds another amount than was planned, or may not tell."""
    preset, plan = planned
    engine, sleeper = engine_of(preset, plan), RecordedSleeper()
    engine._sleeper = sleeper  # type: ignore[assignment]
    asleep_bytes = plan.asleep_bytes + (more_bytes or 0)
    told = None if more_bytes is None else asleep_bytes
    monkeypatch.setattr(lmdeploy, "held_bytes", lambda pid: told if pid == os.getpid() else 0)
    free_bytes = smallest_budget(plan) - OTHERS_BYTES - asleep_bytes
    has_free(monkeypatch, free_bytes)
    await engine.load(lambda _stage, _fraction: None)
    assert sleeper.woken == 1
    has_free(monkeypatch, free_bytes - 1)
    with pytest.raises(OutOfMemory, match=r"The GPU has .* GiB free; the plan needs"):
        await engine.load(lambda _stage, _fraction: None)
    assert sleeper.woken == 1
