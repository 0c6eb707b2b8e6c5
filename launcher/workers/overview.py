"""What can be told of all models and devices at a time. Pure; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.readiness import REMOTE
from launcher.workers.ledger import Ledger
from launcher.workers.model_record import ModelRecord
from launcher.workers.placement import PATIENCE_S, SETTLED_S, holders
from launcher.workers.states import CPU, DeviceUse, ModelState, ModelStatus


def statuses(models: Sequence[ModelRecord], now_s: float) -> tuple[ModelStatus, ...]:
    """Every model's state, in order."""
    return tuple(
        ModelStatus(
            name=model.needs.name,
            state=model.state,
            process=model.process,
            stage=model.stage,
            fraction=model.fraction,
            since_s=max(0.0, now_s - model.entered_s),
            error=model.error,
            waiting=len(model.waiting),
            running=len(model.running),
            waits_for=_waits_for(model, models, now_s),
            device=model.device,
            is_remote=REMOTE in model.needs.claims,
        )
        for model in models
    )


def _waits_for(model: ModelRecord, models: Sequence[ModelRecord], now_s: float) -> tuple[str, ...]:
    if model.state is not ModelState.WAITING or not model.needs.planned or model.restart_at_s > now_s:
        return ()
    devices = (model.heading,) if model.heading else tuple(model.needs.claims)
    return tuple(one.needs.name for device in devices for one in holders(models, device) if one.running)


def device_uses(models: Sequence[ModelRecord], ledger: Ledger) -> tuple[DeviceUse, ...]:
    """What is held of every GPU on which models have a plan, and of RAM where models have to share it."""
    planned = [device for model in models if model.needs.planned for device in model.needs.claims]
    devices = [device for device in dict.fromkeys(planned) if device != CPU or planned.count(device) > 1]
    return tuple(
        DeviceUse(
            device,
            {one.needs.name: one.share for one in holders(models, device)},
            ledger.budget(device),
            total_bytes=ledger.total(device),
            others_bytes=ledger.others(device),
        )
        for device in devices
    )


def next_due_s(models: Sequence[ModelRecord], ledger: Ledger, now_s: float) -> float | None:
    """When something can be decided though nothing has happened by then."""
    due_s = []
    for model in models:
        if model.state is ModelState.WAITING and (since_s := model.wanted_since_s) is not None:
            due_s += [model.restart_at_s, since_s + (PATIENCE_S if model.waiting else SETTLED_S)]
            due_s += ledger.again_at_s(model).values()
        if model.leaves_at_s is not None:
            due_s.append(model.leaves_at_s)
    return min((at_s for at_s in due_s if at_s > now_s), default=None)
