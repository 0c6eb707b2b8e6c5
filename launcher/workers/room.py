"""Who loads now, where, and who has to leave for it. Pure; decides over the records of all models.

The one whose question has waited longest comes first; then the oldest wish. Where it does not fit, those
behind it wait too for the device that it will have, so that a large model is not overtaken for ever by small
ones; another device is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

from launcher.workers.ledger import Ledger
from launcher.workers.model_record import ModelRecord
from launcher.workers.placement import PATIENCE_S, Choice, choices, idle_beside
from launcher.workers.residency import Leaving
from launcher.workers.states import ModelState, ProcessState


class Placing:
    """Places those who wait, in their turn. Those who have to leave for them are marked as ``yielding``.

    Attributes:
        to_load: the models to load now, in order, which are LOADING on their device from here on.
        to_look: devices that are to be looked at, as models wait for one of several.
    """

    def __init__(self, models: Sequence[ModelRecord], ledger: Ledger, now_s: float) -> None:
        self._models, self._ledger, self._now_s = models, ledger, now_s
        self._kept = {one.device for one in models if one.short_of and one.state is ModelState.LOADING}
        self.to_load: list[ModelRecord] = []
        self.to_look: list[str] = []
        for model in _in_turn(models, now_s):
            self._look(model)
            if self._ledger.stale(model):
                self._kept.update(model.needs.claims)
            elif model.short_of:
                self._once_more(model)
            elif not model.needs.planned:
                self._load(model, next(iter(model.needs.claims)))
            else:
                self._on_the_best(model, choices(model, models, ledger, now_s))

    def _look(self, model: ModelRecord) -> None:
        again_at_s = self._ledger.again_at_s(model)
        self.to_look += [device for device, at_s in again_at_s.items() if at_s <= self._now_s]
        self.to_look += self._ledger.stale(model)

    def _on_the_best(self, model: ModelRecord, found: Sequence[Choice]) -> None:
        """On the best device that is kept for nobody; where all are, it waits."""
        choice = next((one for one in found if one.device not in self._kept), None)
        if choice is not None:
            self._place(model, choice)

    def _place(self, model: ModelRecord, choice: Choice) -> None:
        """Loads it on the device, or keeps that for it and has others make room: the idle at once, and loads
        that may be cut short; for a question, and with patience, the busy too."""
        moves = model.process is ProcessState.SLEEPING and model.device != choice.device
        if choice.fits and not moves:
            self._load(model, choice.device)
            return
        self._kept.add(choice.device)
        if model.is_modest and not choice.is_free:
            model.wishes.clear()
            return
        if not model.waiting and not choice.ways.keys() <= choice.idle:
            return
        model.heading = choice.device
        if moves:
            model.yielding = Leaving.END
        patient = model.waited_s(self._now_s) < PATIENCE_S
        for other in self._models:
            way = choice.ways.get(other.needs.name)
            has_to = other.state is ModelState.READY and not patient
            if way is not None and (other.needs.name in choice.idle or has_to):
                other.yielding = way

    def _once_more(self, model: ModelRecord) -> None:
        """Memory ran out while it loaded: on another device that has room, or where it was, alone."""
        found = choices(model, self._models, self._ledger, self._now_s) if model.needs.planned else []
        elsewhere = [one for one in found if one.device != model.short_of]
        free = [one for one in elsewhere if one.is_free and one.device not in self._kept]
        here = next((one for one in found if one.device == model.short_of), None)
        if free:
            self._load(model, free[0].device)
            self._kept.add(free[0].device)
            return
        if elsewhere and here is None:  # other programs have taken that one, and not all others
            self._on_the_best(model, elsewhere)
        elif others := idle_beside(model, self._models, model.short_of):
            for other in others:
                if other.state is not ModelState.LOADING or not other.waiting:  # else it answers first
                    other.yielding = Leaving.END
        elif here is None:
            self._load(model, model.short_of)
        elif here.device not in self._kept:
            self._place(model, here)
        self._kept.add(model.short_of)

    def _load(self, model: ModelRecord, device: str) -> None:
        model.begins_to_load(device, self._now_s)
        self.to_load.append(model)


def _in_turn(models: Sequence[ModelRecord], now_s: float) -> list[ModelRecord]:
    """Who waits; questions go before wishes."""
    wanted = [
        (since_s, model)
        for model in models
        if model.state is ModelState.WAITING
        and model.restart_at_s <= now_s
        and (since_s := model.wanted_since_s) is not None
    ]
    wanted.sort(key=lambda one: (not one[1].waiting, one[0], one[1].needs.name))
    return [model for _, model in wanted]
