"""Which model starts, sleeps, stops and gets which question: the one owner of every model's state. Pure: no
clock, no process.

Each method tells it of something that happened at ``now_s`` and returns what must be done, in order. All
state of all models is here, so that what is decided for one model is decided knowing the others.

    UNAVAILABLE
    ASLEEP ──wanted──> WAITING ──room──> LOADING ──ready──> READY ──has to go──> STOPPING ──> ASLEEP, or
                          ^                 │                 │                                WAITING again
                          └──restart pause──┴──────died───────┘──too often──> FAILED ──wake──> WAITING

Wanted: by a question, or by a page's wish, as when a tab is selected. A page has one wish, its newest, and
none once it is closed (``wishes``). A question goes before every wish.

Room: models without a planned size always have it. Of the others, the one whose question has waited longest
is placed first, on the device with room, else on the one whose leavers cost least (``placement``): idle
models leave for it at once, busy ones finish the answers they have begun and, once it has waited PATIENCE_S,
begin no more. Before it is placed on one of several devices, or in RAM, those are looked at, as other
programs take and give back memory unannounced. For a wish only idle models leave. A load that nobody has
asked a question of is cut short for a question that does not fit beside it, and one that nobody even wishes
for any more is cut short for a wish that has stood for SETTLED_S. Who leaves for another goes to sleep, where
its engine can and that is enough; else, and where a person or its ``keep_alive_s`` ends its stay, its process
ends (``residency``). A model that finds less memory than planned is tried once more: on another device with
room, else alone, after all that is idle on its device has ended, and while nothing else loads there.

While nothing loads, processes are made to stand by for models that have none, and spare ones for loaded
models (``standby``); none once a person has unloaded a model, until one is wanted again: they would take the
RAM that was given back. A spare process takes the place of its model's process wherever that has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from launcher.errors import EngineError, LauncherError
from launcher.workers import overview
from launcher.workers.actions import (
    Action,
    Look,
    Refuse,
    Start,
    UseSpare,
    Withdraw,
)
from launcher.workers.failing import after_failure
from launcher.workers.ledger import Ledger
from launcher.workers.model_record import NOBODY, ModelNeeds, ModelRecord
from launcher.workers.placement import comes_free, holders
from launcher.workers.residency import Leaving
from launcher.workers.restarts import Death
from launcher.workers.room import Placing
from launcher.workers.standby import prepare_next
from launcher.workers.states import DeviceUse, ModelState, ModelStatus, ProcessState, Seen
from launcher.workers.steps import begin_answers, end_spare, leave, way_out
from launcher.workers.wishes import forgive, is_wanted, mark_wanted, withdraw_wishes

MAX_OPEN_ANSWERS = 512
"""For each model; beyond, a question is refused rather than queued for minutes."""

_ON_DEVICE = (ModelState.LOADING, ModelState.READY, ModelState.STOPPING)


class Scheduler:
    """The state machine of all models.

    Args:
        models: all of them; names are unique.
        budgets: what models with a planned size may hold of each device, in bytes; replaced by what is
            measured.
        standby: whether processes stand by for models with a planned size.
        looks: whether devices can be looked at before a model is placed on one of several, or in RAM.
        totals: what devices have, where that is known: to be shown.
    """

    def __init__(
        self,
        models: Iterable[ModelNeeds],
        budgets: Mapping[str, int],
        *,
        standby: bool = False,
        looks: bool = False,
        totals: Mapping[str, int] | None = None,
    ) -> None:
        self._models = {needs.name: ModelRecord(needs) for needs in models}
        self._all = tuple(self._models.values())
        self._ledger = Ledger(budgets, looks=looks, totals=totals)
        self._standby = standby
        self._spare_ram_bytes: int | None = None
        self._given_back = False
        self._closed = False
        for model in self._all:
            if model.needs.unavailable is not None:
                model.state, model.error = ModelState.UNAVAILABLE, model.needs.unavailable

    def offer(self, models: Iterable[ModelNeeds], budgets: Mapping[str, int], now_s: float) -> list[Action]:
        """Models that could not run here may run from now on. Of the others nothing changes, but what may be
        taken of devices that nobody has told of."""
        self._ledger.know(budgets)
        for needs in models:
            model = self._models[needs.name]
            if model.state is ModelState.UNAVAILABLE and needs.unavailable is None:
                model.needs, model.error = needs, None
                model.enter(ModelState.ASLEEP, now_s)
        return self.settle(now_s)

    def statuses(self, now_s: float) -> tuple[ModelStatus, ...]:
        """Every model's state, in the order given."""
        return overview.statuses(self._all, now_s)

    def state_of(self, name: str) -> ModelState:
        """Where one model stands."""
        return self._models[name].state

    def device_uses(self) -> tuple[DeviceUse, ...]:
        """What is held of every GPU on which models have a plan, and of RAM where models have to share it."""
        return overview.device_uses(self._all, self._ledger)

    def next_due_s(self, now_s: float) -> float | None:
        """When `settle` is worth calling though nothing has happened: a pause, a patience or a model's stay
        ends then, or a device has to be looked at again."""
        return overview.next_due_s(self._all, self._ledger, now_s)

    def wake(
        self, name: str, now_s: float, *, page: str = NOBODY, only_if_free: bool = False
    ) -> list[Action]:
        """A person wants the model: it is loaded, and tried again where it has failed.

        Args:
            name: the model's.
            now_s: the time.
            page: whose wish it is; it takes the place of that page's earlier one.
            only_if_free: nothing happens where another model would have to leave for it, or where it has
                failed.
        """
        if self._closed:
            return []
        model = self._models[name]
        withdraw_wishes(page, self._all)
        if model.state is ModelState.UNAVAILABLE or (only_if_free and not self._comes_free(model, now_s)):
            return self.settle(now_s)
        is_wanted(model, now_s)
        self._given_back = model.unloading = False
        if model.state is not ModelState.READY:
            model.wishes[page] = now_s
            (model.modest.add if only_if_free else model.modest.discard)(page)
        return self.settle(now_s)

    def leave(self, page: str, now_s: float) -> list[Action]:
        """The page is closed, or shows a model no more: it wishes for none."""
        withdraw_wishes(page, self._all)
        return self.settle(now_s)

    def ask(self, name: str, answer_id: int, now_s: float, *, retry: bool = False) -> list[Action]:
        """A question for the model; it waits for the model to load. One that has failed refuses, unless it is
        to be tried again."""
        model = self._models[name]
        if self._closed:
            return [Refuse(answer_id, _closing())]
        if model.error is not None and (model.state is ModelState.UNAVAILABLE or not retry):
            return [Refuse(answer_id, model.error)]
        if len(model.waiting) + len(model.running) >= MAX_OPEN_ANSWERS:
            return [Refuse(answer_id, _busy(name))]
        is_wanted(model, now_s)
        self._given_back = False
        model.waiting[answer_id] = now_s
        return self.settle(now_s)

    def cancel(self, name: str, answer_id: int, now_s: float) -> list[Action]:
        """Nobody reads the answer any more. One that runs is over once the process says so."""
        model = self._models[name]
        if answer_id in model.running:
            return [Withdraw(name, answer_id)]
        model.waiting.pop(answer_id, None)
        return self.settle(now_s)

    def unload(self, name: str, now_s: float) -> list[Action]:
        """A person wants the memory back: the model's process ends, loaded, asleep or standing by, when the
        questions it has been asked are answered. None stands by for it until it is wanted again, and none is
        made for another model until any is."""
        model = self._models[name]
        model.wishes.clear()
        self._given_back = model.no_standby = True
        model.unloading = model.process is not ProcessState.NONE and model.leaving is not Leaving.END
        if model.unloading:  # of one that has failed, the process that stands by for another try
            forgive(model, now_s)
        return self.settle(now_s)

    def has_ram(self, spare_bytes: int | None) -> None:
        """Takes what may still be taken of RAM; None where that cannot be told."""
        self._spare_ram_bytes = spare_bytes

    def progressed(self, name: str, stage: str, fraction: float) -> list[Action]:
        """Loading got on."""
        model = self._models[name]
        if model.state is ModelState.LOADING:
            model.stage, model.fraction = stage, fraction
        return []

    def standing_by(self, name: str, now_s: float) -> list[Action]:
        """The process has imported all that loading needs."""
        model = self._models[name]
        if model.process is ProcessState.STARTING and model.state is not ModelState.STOPPING:
            model.has_process(ProcessState.STANDING_BY)
        return self.settle(now_s)

    def spare_stands_by(self, name: str, now_s: float) -> list[Action]:
        """The spare process has imported all that loading needs."""
        model = self._models[name]
        if model.spare is ProcessState.STARTING:
            model.spare = ProcessState.STANDING_BY
        return self.settle(now_s)

    def spare_ended(self, name: str, now_s: float) -> list[Action]:
        """The spare process is gone though nobody has asked it to stop."""
        model = self._models[name]
        model.spare, model.no_spare = ProcessState.NONE, True
        return self.settle(now_s)

    def ready(self, name: str, now_s: float, *, sleeps: bool = False) -> list[Action]:
        """The model is loaded. It answers all who waited for that before it may have to leave for another:
        what else that allows is decided by `measured`, or `settle`."""
        model = self._models[name]
        if model.state is not ModelState.LOADING:
            return []
        model.enter(ModelState.READY, now_s)
        model.wishes.clear()
        model.sleeps = sleeps
        model.no_standby, model.no_spare = model.unloading, False
        model.short_of = ""
        model.used_s = now_s
        model.deaths = deque(
            (death for death in model.deaths if not death.while_loading), model.deaths.maxlen
        )
        return begin_answers(model)

    def measured(self, device: str, seen: Seen | None, now_s: float) -> list[Action]:
        """What a device holds now; None where that cannot be told."""
        self._ledger.looked(device)
        self._take(device, seen, now_s)
        return self.settle(now_s)

    def slept(self, name: str, now_s: float, seen: Seen | None = None) -> list[Action]:
        """The process has given the device back and keeps the model close at hand."""
        model = self._models[name]
        if model.state is ModelState.STOPPING and model.leaving is Leaving.SLEEP:
            model.has_process(ProcessState.SLEEPING)
            model.yielding = None
            model.enter(ModelState.ASLEEP, now_s)
        self._take(model.device, seen, now_s)
        return self.settle(now_s)

    def finished(self, name: str, answer_id: int, now_s: float) -> list[Action]:
        """The process is done with an answer, whichever way."""
        model = self._models[name]
        model.running.discard(answer_id)
        model.used_s = now_s
        return self.settle(now_s)

    def ended(
        self,
        name: str,
        error: LauncherError | None,
        *,
        retry: bool,
        while_loading: bool,
        now_s: float,
        seen: Seen | None = None,
    ) -> list[Action]:
        """The process is gone; ``error`` is None when it had been stopped."""
        model = self._models[name]
        refused = error or EngineError("{model} was stopped.", hint="Ask again.", model=name)
        actions: list[Action] = [Refuse(answer_id, refused) for answer_id in sorted(model.running)]
        on_device, device = model.state in _ON_DEVICE, model.device
        model.running.clear()
        model.has_process(model.spare)
        if model.spare is not ProcessState.NONE:
            model.spare = ProcessState.NONE
            actions.append(UseSpare(name))
        model.unloading, model.yielding = False, None
        if on_device:
            model.enter(ModelState.ASLEEP, now_s)
        self._take(device, seen, now_s)
        if error is not None and on_device:
            death = Death(now_s, while_loading) if retry else None
            actions += after_failure(model, error, death, device=device, models=self._all, now_s=now_s)
        elif error is not None:
            model.no_standby = True
        return actions + self.settle(now_s)

    def close(self, now_s: float) -> list[Action]:
        """Stops everything; nothing is begun any more."""
        self._closed = True
        actions: list[Action] = []
        for model in self._all:
            actions += [
                Refuse(answer_id, _closing()) for answer_id in (*model.waiting, *sorted(model.running))
            ]
            model.waiting.clear()
            model.running.clear()
            model.wishes.clear()
            actions += end_spare(model)
            if model.process is not ProcessState.NONE and model.leaving is not Leaving.END:
                actions.append(leave(model, Leaving.END, now_s))
        return actions

    def settle(self, now_s: float) -> list[Action]:
        """Decides all that can be decided now."""
        if self._closed:
            return []
        actions: list[Action] = []
        mark_wanted(self._all, now_s)
        for model in self._all:
            model.yielding = None
            if model.leaves_at_s is not None and now_s >= model.leaves_at_s:
                model.yielding, model.no_standby = Leaving.END, True
            if model.no_standby:
                actions += end_spare(model)
        placing = Placing(self._all, self._ledger, now_s)
        mark_wanted(self._all, now_s)  # a wish that nobody is to leave for may have come to nothing
        actions += [Look(device) for device in self._ledger.to_look_at(placing.to_look)]
        actions += [Start(model.needs.name, model.device) for model in placing.to_load]
        for model in self._all:
            if (way := way_out(model)) is not None:
                actions.append(leave(model, way, now_s))
            elif model.state is ModelState.READY and not model.unloading and model.yielding is None:
                actions += begin_answers(model)
        if self._standby and not self._given_back:
            actions += prepare_next(self._all, self._spare_ram_bytes)
        return actions

    def _comes_free(self, model: ModelRecord, now_s: float) -> bool:
        return model.state is not ModelState.FAILED and comes_free(model, self._all, self._ledger, now_s)

    def _take(self, device: str, seen: Seen | None, now_s: float) -> None:
        if device:
            self._ledger.take(device, seen, holders(self._all, device), now_s)


def _closing() -> EngineError:
    return EngineError("The launcher is closing.", hint="Start it again, then ask again.")


def _busy(name: str) -> EngineError:
    return EngineError(
        "{model} is busy: {count} questions are open.", "Ask again later.", model=name, count=MAX_OPEN_ANSWERS
    )
