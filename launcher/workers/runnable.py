"""Presets on this machine -> models for the manager: the one place where readiness becomes an engine's spec."""

from __future__ import annotations

from collections.abc import Iterable

from launcher.engines.base import EngineSpec
from launcher.errors import LauncherError
from launcher.readiness import Readiness, ReadyState
from launcher.workers.manager import RunnableModel


def runnable_models(readiness: Iterable[Readiness]) -> tuple[RunnableModel, ...]:
    """One model for each preset, in order; those that cannot run here carry the reason."""
    return tuple(RunnableModel(each.preset.name, _spec(each)) for each in readiness)


def _spec(readiness: Readiness) -> EngineSpec | LauncherError:
    if readiness.reason is not None:
        return readiness.reason
    assert readiness.state is ReadyState.READY
    assert readiness.folder is not None
    return EngineSpec(readiness.engine, readiness.preset, readiness.folder, readiness.device, readiness.plan)
