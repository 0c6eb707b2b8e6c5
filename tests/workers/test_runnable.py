"""Presets on this machine become models for the manager."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from launcher.devices import Gpu
from launcher.errors import DeviceError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted


def make_room(*models: Readiness, free_bytes: int = 0) -> list[bool]:
    found = runnable_models(models, {"cuda:0": free_bytes} if free_bytes else None)
    return [spec.makes_room for model in found for spec in model.specs.values()]


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
    assert model.on is reason


def card(number: str, uuid: str) -> Gpu:
    return Gpu("Card", uuid, 8, 8, (8, 6), "570.1", (12, 8), number=number)


def test_a_model_has_a_spec_for_every_card_that_it_may_run_on(tmp_path: Path) -> None:
    first = replace(scripted("first", tmp_path, size_bytes=6), gpu=card("1", "GPU-b"))
    both = replace(first, elsewhere=(replace(first, gpu=card("0", "GPU-a")),))
    (model,) = runnable_models([both], {"GPU-a": 6, "GPU-b": 6})
    assert list(model.specs) == ["GPU-b", "GPU-a"], "the roomiest first"
    assert all(spec.device == "cuda:0" and spec.card == uuid for uuid, spec in model.specs.items())
    assert both.place == "GPU 0 or 1"
