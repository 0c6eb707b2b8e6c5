"""Presets on this machine -> models for the manager, and the manager that a page has: the one place where
readiness becomes an engine's spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from launcher.devices import Devices
from launcher.engines.base import EngineSpec
from launcher.errors import LauncherError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.gauge import Measure
from launcher.workers.gpu_memory import seen_on
from launcher.workers.manager import Manager
from launcher.workers.observers import SILENT, Observer
from launcher.workers.offered import RunnableModel
from launcher.workers.states import CPU


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
    free_bytes = {gpu.uuid: gpu.free_bytes for gpu in devices.gpus}
    total_bytes = {gpu.uuid: gpu.total_bytes for gpu in devices.gpus} | {CPU: devices.ram_total_bytes}
    return page_manager(
        models,
        free_bytes,
        seen_on,
        total_bytes=total_bytes,
        standby=standby,
        log_folder=log_folder,
        observer=observer,
    )


def page_manager(
    models: Sequence[Readiness],
    free_bytes: Mapping[str, int],
    measure: Measure,
    *,
    total_bytes: Mapping[str, int] | None = None,
    standby: bool = True,
    log_folder: Path | None = None,
    observer: Observer = SILENT,
) -> Manager:
    """Its models may hold together what is free of each device, as it is measured later on."""
    return Manager(
        runnable_models(models, free_bytes),
        gpu_budget_bytes=free_bytes,
        measure=measure,
        total_bytes=total_bytes,
        standby=standby,
        log_folder=log_folder,
        gpu_numbers=gpu_numbers(models),
        observer=observer,
    )


def gpu_numbers(models: Iterable[Readiness]) -> dict[str, str]:
    """The GPUs that models may run on -> their numbers as nvidia-smi counts."""
    return {
        place.gpu.uuid: place.gpu.number for one in models for place in one.places if place.gpu is not None
    }


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
    return tuple(RunnableModel(one.preset.name, _on(one, models, free_bytes or {})) for one in models)


def _on(
    one: Readiness, models: Iterable[Readiness], free_bytes: Mapping[str, int]
) -> Mapping[str, EngineSpec] | LauncherError:
    """Each device that the preset may run on -> how its engine is built there."""
    if one.reason is not None:
        return one.reason
    found = {}
    for place in one.places:
        device = _device(place)
        found[device] = _spec(place, _is_crowded(device, models, free_bytes))
    return found


def _device(place: Readiness) -> str:
    """What the manager calls it: a card by its uuid."""
    return place.device if place.gpu is None else place.gpu.uuid


def _is_crowded(device: str, models: Iterable[Readiness], free_bytes: Mapping[str, int]) -> bool:
    """Whether not all models fit there together that may be loaded there. Where there are several cards, they
    may have spread; who leaves nevertheless had better be able to sleep."""
    planned_bytes = [
        place.plan.peak_bytes
        for model in models
        for place in model.places
        if _device(place) == device and place.plan is not None
    ]
    return len(planned_bytes) > 1 and sum(planned_bytes) > free_bytes.get(device, 0)


def _spec(place: Readiness, makes_room: bool) -> EngineSpec:
    assert place.state is ReadyState.READY
    return EngineSpec(
        place.engine,
        place.preset,
        place.folder or Path(),
        place.device,
        place.plan,
        makes_room,
        place.size_bytes,
        "" if place.gpu is None else place.gpu.uuid,
    )
