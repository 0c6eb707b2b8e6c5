"""Presets on this machine become models for the manager."""

from __future__ import annotations

from pathlib import Path

from launcher.engines.base import EngineSpec
from launcher.errors import DeviceError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted


def make_room(*models: Readiness, free_bytes: int = 0) -> list[bool]:
    found = runnable_models(models, {"cuda:0": free_bytes} if free_bytes else None)
    return [model.spec.makes_room for model in found if isinstance(model.spec, EngineSpec)]


def test_models_that_do_not_fit_together_are_told_that_they_may_have_to_leave(tmp_path: Path) -> None:
    first, second, cpu = (
        scripted("first", tmp_path, size_bytes=6),
        scripted("second", tmp_path, size_bytes=6),
        scripted("third", tmp_path),
    )
    assert make_room(first, second, cpu) == [True, True, False]
    assert make_room(first, second, cpu, free_bytes=11) == [True, True, False]
    assert make_room(first, second, cpu, free_bytes=12) == [False, False, False]
    assert make_room(first, cpu) == [False, False]


def test_a_model_that_cannot_run_carries_its_reason(tmp_path: Path) -> None:
    reason = DeviceError("There is no GPU.")
    absent = Readiness(scripted("first", tmp_path).preset, ReadyState.NEEDS_GPU, reason=reason)
    (model,) = runnable_models([absent])
    assert model.spec is reason
