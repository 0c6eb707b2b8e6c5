"""Who wants which model: each change of that is a change of records. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from launcher.workers.model_record import NOBODY, ModelRecord
from launcher.workers.states import ModelState


def is_wanted(model: ModelRecord, now_s: float) -> None:
    """Somebody asks or wishes for it: one that has failed may be tried again."""
    forgive(model, now_s)
    model.no_standby = False
    model.used_s = now_s


def forgive(model: ModelRecord, now_s: float) -> None:
    """One that has FAILED may be tried again."""
    if model.state is ModelState.FAILED:
        model.deaths.clear()
        model.restart_at_s = 0.0
        model.error = None
        model.enter(ModelState.ASLEEP, now_s)


def withdraw_wishes(page: str, models: Iterable[ModelRecord]) -> None:
    """The page wishes for none of them any more."""
    if page != NOBODY:
        for model in models:
            model.wishes.pop(page, None)


def mark_wanted(models: Iterable[ModelRecord], now_s: float) -> None:
    """Who is wanted waits for room, and who is no more sleeps."""
    for model in models:
        wanted = model.wanted_since_s is not None
        if wanted and model.state is ModelState.ASLEEP:
            model.enter(ModelState.WAITING, now_s)
        elif not wanted and model.state is ModelState.WAITING:
            model.short_of = model.heading = ""
            model.enter(ModelState.ASLEEP, now_s)
