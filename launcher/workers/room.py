"""Room on one device: which model loads now, and who has to leave for it. Pure; decides over the records of
all models on the device.

The one whose question has waited longest comes first; then the oldest wish. Where it does not fit, those
behind it wait too, so that a large model is not overtaken for ever by small ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from launcher.workers import residency
from launcher.workers.model_record import ModelRecord
from launcher.workers.residency import Leaving
from launcher.workers.states import ModelState, ProcessState

PATIENCE_S = 5.0
"""A model in demand goes on taking questions for this long while another waits for its memory; so questions
for one model are gathered rather than switched between, and nobody waits longer than this, the answers begun
before, and the load."""

SETTLED_S = 1.0
"""Whoever clicks through tabs wants the one where the clicking ends."""


def holders(on_device: Sequence[ModelRecord]) -> list[ModelRecord]:
    """The models whose processes hold memory of the device."""
    holding = (ProcessState.ENGAGED, ProcessState.SLEEPING)
    return [model for model in on_device if model.needs.planned and model.process in holding]


def idle_beside(model: ModelRecord, on_device: Sequence[ModelRecord]) -> list[ModelRecord]:
    """The others whose memory can come back by itself: idle, asleep, or leaving already."""
    return [
        other
        for other in on_device
        if other is not model and (other.idle or other.asleep or other.unloading or other.leaving is not None)
    ]


def comes_free(model: ModelRecord, on_device: Sequence[ModelRecord], budget_bytes: int) -> bool:
    """Whether it is loaded, or could be with nobody leaving and nobody waiting for what it would take."""
    if model.state in (ModelState.READY, ModelState.LOADING) or not model.needs.planned:
        return True
    return _fits(model, on_device, budget_bytes) and not any(
        other.state is ModelState.WAITING for other in on_device if other is not model
    )


def make_room(on_device: Sequence[ModelRecord], budget_bytes: int, now_s: float) -> list[ModelRecord]:
    """The models to load now, in order, which are LOADING from here on. Marks those who have to leave for the
    next one as ``yielding``."""
    to_load: list[ModelRecord] = []
    blocked = any(model.last_try and model.state is ModelState.LOADING for model in on_device)
    for since_s, model in _in_turn(on_device, now_s):
        if model.last_try and (others := idle_beside(model, on_device)):
            blocked = True
            for other in others:
                other.yielding = Leaving.END
        elif not model.needs.planned or (not blocked and _fits(model, on_device, budget_bytes)):
            model.begins_to_load(now_s)
            blocked = blocked or model.last_try
            to_load.append(model)
        elif not blocked:
            blocked = True
            _ask_to_leave(model, on_device, budget_bytes, now_s - since_s)
    return to_load


def _in_turn(on_device: Sequence[ModelRecord], now_s: float) -> list[tuple[float, ModelRecord]]:
    """Who waits, with the time since when; questions go before wishes."""
    wanted = [
        (since_s, model)
        for model in on_device
        if model.state is ModelState.WAITING
        and model.restart_at_s <= now_s
        and (since_s := model.wanted_since_s) is not None
    ]
    return sorted(wanted, key=lambda one: (not one[1].waiting, one[0], one[1].needs.name))


def _fits(model: ModelRecord, on_device: Sequence[ModelRecord], budget_bytes: int) -> bool:
    assert model.needs.loading_bytes is not None
    others = [other.resident() for other in holders(on_device) if other is not model]
    return residency.fits(model.needs.loading_bytes, budget_bytes, others)


def _ask_to_leave(
    model: ModelRecord, on_device: Sequence[ModelRecord], budget_bytes: int, waited_s: float
) -> None:
    """Has others make room: the idle at once, and loads that may be cut short; for a question, and with
    patience, the busy too."""
    assert model.needs.loading_bytes is not None
    others = {other.needs.name: other for other in holders(on_device) if other is not model}
    residents = [
        other.resident(cut_short=_may_be_cut_short(other, model, waited_s)) for other in others.values()
    ]
    idle = {resident.name for resident in residents if resident.idle}
    ways = residency.to_release(model.needs.loading_bytes, budget_bytes, residents)
    if not model.waiting and not ways.keys() <= idle:
        return
    for name, way in ways.items():
        if name in idle or (others[name].state is ModelState.READY and waited_s >= PATIENCE_S):
            others[name].yielding = way


def _may_be_cut_short(loading: ModelRecord, model: ModelRecord, waited_s: float) -> bool:
    """Whether a load may be ended for a model that waits: for a question one that nobody has asked anything,
    for a wish that stands one that nobody even wishes for."""
    nobodys = not loading.wishes and waited_s >= SETTLED_S
    return loading.has_far_to_go and (bool(model.waiting) or nobodys)
