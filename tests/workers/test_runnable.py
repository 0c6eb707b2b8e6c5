"""Presets on this machine become models for the manager."""

from __future__ import annotations

from pathlib import Path

from launcher.engines.base import EngineSpec
from launcher.errors import DeviceError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted


def specs(*models: Readiness) -> list[EngineSpec]:
    return [model.spec for model in runnable_models(models) if isinstance(model.spec, EngineSpec)]


def test_models_that_share_a_gpu_are_told_so(tmp_path: Path) -> None:
    first, second, cpu = (
        scripted("first", tmp_path, size_bytes=6),
        scripted("second", tmp_path, size_bytes=6),
        scripted("third", tmp_path),
    )
    assert [spec.shares_device for spec in specs(first, second, cpu)] == [True, True, False]
    assert [spec.shares_device for spec in specs(first, cpu)] == [False, False]


def test_a_model_that_cannot_run_carries_its_reason(tmp_path: Path) -> None:
    reason = DeviceError("There is no GPU.")
    absent = Readiness(scripted("first", tmp_path).preset, ReadyState.NEEDS_GPU, reason=reason)
    (model,) = runnable_models([absent])
    assert model.spec is reason
