"""Presets on this machine -> models for the manager, and the manager that a page has: the one place where
readiness becomes an engine's spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from launcher.devices import Devices
from launcher.engines.base import EngineSpec
from launcher.errors import LauncherError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.gauge import Measure
from launcher.workers.gpu_memory import seen_on
from launcher.workers.manager import Manager, RunnableModel
from launcher.workers.observers import SILENT, Observer

AManager = TypeVar("AManager", bound=Manager)


def manager_of(
    models: Sequence[Readiness],
    devices: Devices,
    *,
    standby: bool = True,
    log_folder: Path | None = None,
    observer: Observer = SILENT,
) -> Manager:
    """Runs the models: together they may hold what is free of each GPU now, and all that nobody else takes
    later."""
    free_bytes = {f"cuda:{number}": gpu.free_bytes for number, gpu in enumerate(devices.gpus)}
    return page_manager(
        Manager, models, free_bytes, seen_on, standby=standby, log_folder=log_folder, observer=observer
    )


def page_manager(
    kind: type[AManager],
    models: Sequence[Readiness],
    free_bytes: Mapping[str, int],
    measure: Measure,
    *,
    standby: bool = True,
    log_folder: Path | None = None,
    observer: Observer = SILENT,
) -> AManager:
    """A manager of this kind, whose models may hold together what is free of each device, as it is measured
    later on."""
    return kind(
        runnable_models(models, free_bytes),
        gpu_budget_bytes=free_bytes,
        measure=measure,
        standby=standby,
        log_folder=log_folder,
        observer=observer,
    )


def runnable_models(
    readiness: Iterable[Readiness], free_bytes: Mapping[str, int] | None = None
) -> tuple[RunnableModel, ...]:
    """One model for each preset, in order; those that cannot run here carry the reason.

    Args:
        readiness: the presets.
        free_bytes: what is free of each device; where that holds all its models together, none will have to
            make room.
    """
    models = tuple(readiness)
    return tuple(
        RunnableModel(one.preset.name, _spec(one, _is_crowded(one.device, models, free_bytes or {})))
        for one in models
    )


def _is_crowded(device: str, models: Iterable[Readiness], free_bytes: Mapping[str, int]) -> bool:
    planned_bytes = [
        model.plan.peak_bytes for model in models if model.device == device and model.plan is not None
    ]
    return len(planned_bytes) > 1 and sum(planned_bytes) > free_bytes.get(device, 0)


def _spec(readiness: Readiness, makes_room: bool) -> EngineSpec | LauncherError:
    if readiness.reason is not None:
        return readiness.reason
    assert readiness.state is ReadyState.READY
    assert readiness.folder is not None
    return EngineSpec(
        readiness.engine,
        readiness.preset,
        readiness.folder,
        readiness.device,
        readiness.plan,
        makes_room,
        readiness.size_bytes,
    )
