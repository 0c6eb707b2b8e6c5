"""What comes of a model whose process failed: it is tried again where that may help, or has FAILED. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.errors import LauncherError, OutOfMemory
from launcher.workers.actions import Action, Refuse
from launcher.workers.model_record import NOBODY, ModelRecord
from launcher.workers.placement import idle_beside
from launcher.workers.restarts import Death, pause_before_restart_s
from launcher.workers.states import ModelState


def after_failure(
    model: ModelRecord,
    error: LauncherError,
    death: Death | None,
    *,
    device: str,
    models: Sequence[ModelRecord],
    now_s: float,
) -> list[Action]:
    """Restarts where that may help; else the model has FAILED and all who wait for it are told.

    Args:
        model: the one.
        error: why.
        death: set where another process may do better.
        device: what it was loaded on, or was being loaded on.
        models: all of them.
        now_s: the time.
    """
    if isinstance(error, OutOfMemory) and _may_find_room(model, device, models):
        model.short_of = device
        return []
    pause_s = None
    if death is not None:
        model.deaths.append(death)
        pause_s = pause_before_restart_s(model.deaths)
    if pause_s is not None:
        model.restart_at_s = now_s + pause_s
        model.wishes[NOBODY] = now_s
        model.modest.discard(NOBODY)
        return []
    model.wishes.clear()
    model.short_of = ""
    model.error = error
    model.enter(ModelState.FAILED, now_s)
    actions: list[Action] = [Refuse(answer_id, error) for answer_id in model.waiting]
    model.waiting.clear()
    return actions


def _may_find_room(model: ModelRecord, device: str, models: Sequence[ModelRecord]) -> bool:
    """Whether one more try is worth it: on another device, or on this one once others have left."""
    if model.wanted_since_s is None or model.short_of:
        return False
    elsewhere = model.needs.planned and len(model.needs.claims) > 1
    return elsewhere or bool(idle_beside(model, models, device))
