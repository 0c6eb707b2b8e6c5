"""On which device a model is loaded: the one with room, else the one whose leavers cost least. Pure; decides
over the records of all models.

What it costs to place a model on a device is, in this order: what that lacks even if all of ours left (other
programs have taken it); whether answers would have to be waited for; whether others make room on another one
already; how many that would leave are asked or wished for; the seconds until it is loaded and all who left
are back; how lately those were used; what room is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from launcher.workers import residency
from launcher.workers.ledger import Ledger
from launcher.workers.model_record import ModelRecord
from launcher.workers.residency import Leaving
from launcher.workers.states import ModelState, ProcessState

WAKE_S = 1.0
"""About what a sleeper takes to wake: 0.2 to 0.5 s were measured, and falling asleep as much."""

LOAD_S = 10.0
"""About what a load takes, in a process that stands by or is started anew: 5 to 14 s were measured."""

RECENT_S = 60.0
"""Who was used within this time is likely to be asked again soon: so sending it away costs a load more, and
two models that people go back and forth between end up on two cards."""

PATIENCE_S = 5.0
"""A model in demand goes on taking questions for this long while another waits for its memory; so questions
for one model are gathered rather than switched between, and nobody waits longer than this, the answers begun
before, and the load."""

SETTLED_S = 1.0
"""Whoever clicks through tabs wants the one where the clicking ends."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One device for a model.

    Attributes:
        fits: there is room for it now.
        ways: who would have to leave for it, and how, beside those that are leaving already.
        idle: who of all there could leave at once.
        cost: to be compared with other devices'; less is better.
    """

    device: str
    fits: bool
    ways: Mapping[str, Leaving]
    idle: frozenset[str]
    cost: tuple[float, ...]

    @property
    def is_free(self) -> bool:
        """Whether it can be loaded there with nobody leaving."""
        return self.fits and not self.ways

    @property
    def lacks_bytes(self) -> float:
        """What it would lack even if everybody left."""
        return self.cost[0]


def holders(models: Collection[ModelRecord], device: str) -> list[ModelRecord]:
    """The models whose processes hold memory of the device."""
    holding = (ProcessState.ENGAGED, ProcessState.SLEEPING)
    return [
        model
        for model in models
        if model.device == device and model.needs.planned and model.process in holding
    ]


def choices(
    model: ModelRecord, models: Collection[ModelRecord], ledger: Ledger, now_s: float
) -> list[Choice]:
    """The devices that it may be placed on, the best first; those that other programs have taken are among
    them only where they have taken all."""
    found = [_choice(model, device, models, ledger, now_s) for device in model.needs.claims]
    least = min(choice.lacks_bytes for choice in found)
    return sorted((choice for choice in found if choice.lacks_bytes == least), key=lambda choice: choice.cost)


def _choice(
    model: ModelRecord,
    device: str,
    models: Collection[ModelRecord],
    ledger: Ledger,
    now_s: float,
) -> Choice:
    wanted_bytes, budget_bytes = model.needs.claims[device].loading_bytes or 0, ledger.budget(device)
    others = {one.needs.name: one for one in holders(models, device) if one is not model}
    residents = [one.resident(cut_short=_may_be_cut_short(one, model, now_s)) for one in others.values()]
    idle = frozenset(one.name for one in residents if one.idle)
    fits = residency.fits(wanted_bytes, budget_bytes, residents)
    ways = {} if fits else residency.to_release(wanted_bytes, budget_bytes, residents)
    leavers = [others[name] for name in ways]
    cost = (
        max(0, wanted_bytes - budget_bytes),
        not ways.keys() <= idle,
        model.heading not in ("", device),
        sum(bool(one.waiting or one.running or one.wishes) for one in leavers),
        _seconds(model, device, others, ways, now_s),
        max((one.used_s for one in leavers), default=0.0),
        not fits,
        wanted_bytes + residency.held(residents) - budget_bytes,
    )
    return Choice(device, fits, ways, idle, cost)


def _seconds(
    model: ModelRecord,
    device: str,
    others: Mapping[str, ModelRecord],
    ways: Mapping[str, Leaving],
    now_s: float,
) -> float:
    """Until it is loaded, and all who left for it are back."""
    wakes = model.process is ProcessState.SLEEPING and model.device == device
    own_s = WAKE_S if wakes else LOAD_S
    return own_s + sum(_return_s(others[name], way, now_s) for name, way in ways.items())


def _return_s(leaver: ModelRecord, way: Leaving, now_s: float) -> float:
    if leaver.asleep:
        return LOAD_S - WAKE_S
    back_s = WAKE_S if way is Leaving.SLEEP else LOAD_S
    return back_s + (LOAD_S if now_s - leaver.used_s < RECENT_S else 0.0)


def _may_be_cut_short(loading: ModelRecord, model: ModelRecord, now_s: float) -> bool:
    """Whether a load may be ended for a model that waits: for a question one that nobody has asked anything,
    for a wish that stands one that nobody even wishes for."""
    nobodys = not loading.wishes and model.waited_s(now_s) >= SETTLED_S
    return loading.has_far_to_go and (bool(model.waiting) or nobodys)


def idle_beside(model: ModelRecord, models: Sequence[ModelRecord], device: str) -> list[ModelRecord]:
    """The others whose memory of the device can come back by itself: idle, asleep, or leaving already."""
    return [
        other
        for other in models
        if other is not model
        and other.device == device
        and (other.idle or other.asleep or other.unloading or other.leaving is not None)
    ]


def comes_free(model: ModelRecord, models: Collection[ModelRecord], ledger: Ledger, now_s: float) -> bool:
    """Whether it is loaded, or could be with nobody leaving and nobody waiting for what it would take."""
    if model.state in (ModelState.READY, ModelState.LOADING) or not model.needs.planned:
        return True
    claims = model.needs.claims.keys()
    if any(
        other.state is ModelState.WAITING and not claims.isdisjoint(other.needs.claims)
        for other in models
        if other is not model
    ):
        return False
    return choices(model, models, ledger, now_s)[0].is_free
