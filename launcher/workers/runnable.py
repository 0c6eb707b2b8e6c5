"""Presets on this machine -> models for the manager: the one place where readiness becomes an engine's spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from launcher.engines.base import EngineSpec
from launcher.errors import LauncherError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.manager import RunnableModel


def runnable_models(readiness: Iterable[Readiness]) -> tuple[RunnableModel, ...]:
    """One model for each preset, in order; those that cannot run here carry the reason."""
    models = tuple(readiness)
    planned = Counter(model.device for model in models if model.plan is not None)
    return tuple(RunnableModel(model.preset.name, _spec(model, planned[model.device] > 1)) for model in models)


def _spec(readiness: Readiness, shares_device: bool) -> EngineSpec | LauncherError:
    if readiness.reason is not None:
        return readiness.reason
    assert readiness.state is ReadyState.READY
    assert readiness.folder is not None
    return EngineSpec(readiness.engine, readiness.preset, readiness.folder, readiness.device, readiness.plan, shares_device)
