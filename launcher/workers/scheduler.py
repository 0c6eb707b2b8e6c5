"""Which model starts, sleeps, stops and gets which question: the one owner of every model's state. Pure: no
clock, no process.

Each method tells it of something that happened at ``now_s`` and returns what must be done, in order. All
state of all models is here, so that what is decided for one model is decided knowing the others.

    UNAVAILABLE
    ASLEEP ──wanted──> WAITING ──room──> LOADING ──ready──> READY ──has to go──> STOPPING ──> ASLEEP, or
                          ^                 │                 │                                WAITING again
                          └──restart pause──┴──────died───────┘──too often──> FAILED ──wake──> WAITING

Room: models without a planned size always have it. Of those that share a device, the one that has waited
    longest is served first: idle models leave for it at once, busy ones finish the answers they have begun
    and, once it has waited PATIENCE_S, begin no more. Who leaves for another goes to sleep, where its engine
    can and that is enough; else, and where a person or its ``keep_alive_s`` ends its stay, its process ends
    (``residency``). A model that finds less memory than planned is tried once more, alone: after all that is
    idle on its device has ended, and while nothing else loads there.

While nothing loads, a process is made to stand by for each model that has none, one after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from launcher.errors import EngineError, LauncherError, OutOfMemory
from launcher.workers import residency
from launcher.workers.actions import Action, Prepare, Refuse, Send, Sleep, Start, Stop, Withdraw
from launcher.workers.model_record import ModelNeeds, ModelRecord
from launcher.workers.residency import Leaving, Resident
from launcher.workers.restarts import Death, pause_before_restart_s
from launcher.workers.states import DeviceUse, ModelState, ModelStatus, ProcessState, Seen

PATIENCE_S = 5.0
"""A model in demand goes on taking questions for this long while another waits for its memory; so questions
for one model are gathered rather than switched between, and nobody waits longer than this, the answers begun
before, and the load."""

MAX_OPEN_ANSWERS = 512
"""For each model; beyond, a question is refused rather than queued for minutes."""

MAX_STANDING_BY = 3
"""Each takes RAM for all that it has imported. The next takes the place of one that is used."""

_ON_DEVICE = (ModelState.LOADING, ModelState.READY, ModelState.STOPPING)


class Scheduler:
    """The state machine of all models.

    Args:
        models: all of them; names are unique.
        budgets: what models with a planned size may hold of each device, in bytes; replaced by what is
            measured.
        standby: whether processes stand by for models with a planned size.
    """

    def __init__(
        self, models: Iterable[ModelNeeds], budgets: Mapping[str, int], *, standby: bool = False
    ) -> None:
        self._models = {needs.name: ModelRecord(needs) for needs in models}
        self._budgets = dict(budgets)
        self._standby = standby
        self._closed = False
        for model in self._models.values():
            if model.needs.unavailable is not None:
                model.state, model.error = ModelState.UNAVAILABLE, model.needs.unavailable

    def statuses(self, now_s: float) -> tuple[ModelStatus, ...]:
        """Every model's state, in the order given."""
        return tuple(
            ModelStatus(
                name=name,
                state=model.state,
                process=model.process,
                stage=model.stage,
                fraction=model.fraction,
                since_s=max(0.0, now_s - model.entered_s),
                error=model.error,
                waiting=len(model.waiting),
                running=len(model.running),
                waits_for=self._waits_for(model, now_s),
            )
            for name, model in self._models.items()
        )

    def device_uses(self) -> tuple[DeviceUse, ...]:
        """What is held of every device on which models have a plan."""
        devices = {model.needs.device: None for model in self._models.values() if model.needs.planned}
        return tuple(
            DeviceUse(
                device,
                {one.needs.name: one.held_bytes for one in self._holders(device)},
                self._budgets[device],
            )
            for device in devices
        )

    def next_due_s(self, now_s: float) -> float | None:
        """When `settle` is worth calling though nothing has happened: a pause, a patience or a model's stay
        ends then."""
        due_s = []
        for model in self._models.values():
            if model.state is ModelState.WAITING and (since_s := model.wanted_since_s) is not None:
                due_s += [model.restart_at_s, since_s + PATIENCE_S]
            if model.leaves_at_s is not None:
                due_s.append(model.leaves_at_s)
        return min((at_s for at_s in due_s if at_s > now_s), default=None)

    def wake(self, name: str, now_s: float) -> list[Action]:
        """A person wants the model: it is loaded, and tried again where it has failed."""
        model = self._models[name]
        if self._closed or model.state is ModelState.UNAVAILABLE:
            return []
        if model.state is ModelState.FAILED:
            model.deaths.clear()
            model.restart_at_s = 0.0
            model.error = None
            model.enter(ModelState.ASLEEP, now_s)
        model.unloading = False
        if model.state not in (ModelState.LOADING, ModelState.READY):
            model.woken_s = now_s if model.woken_s is None else model.woken_s
        model.used_s = now_s
        return self.settle(now_s)

    def ask(self, name: str, answer_id: int, now_s: float) -> list[Action]:
        """A question for the model; it waits for the model to load. One that has failed refuses until it is
        woken."""
        model = self._models[name]
        if self._closed:
            return [Refuse(answer_id, _closing())]
        if model.state in (ModelState.UNAVAILABLE, ModelState.FAILED) and model.error is not None:
            return [Refuse(answer_id, model.error)]
        if len(model.waiting) + len(model.running) >= MAX_OPEN_ANSWERS:
            return [Refuse(answer_id, _busy(name))]
        model.waiting[answer_id] = now_s
        model.used_s = now_s
        return self.settle(now_s)

    def cancel(self, name: str, answer_id: int, now_s: float) -> list[Action]:
        """Nobody reads the answer any more. One that runs is over once the process says so."""
        model = self._models[name]
        if answer_id in model.running:
            return [Withdraw(name, answer_id)]
        model.waiting.pop(answer_id, None)
        return self.settle(now_s)

    def unload(self, name: str, now_s: float) -> list[Action]:
        """A person wants the memory back: the model's process ends when the answers it has begun are
        finished."""
        model = self._models[name]
        model.woken_s = None
        if (
            model.state in (ModelState.LOADING, ModelState.READY)
            or model.asleep
            or model.leaving is Leaving.SLEEP
        ):
            model.unloading = True
        return self.settle(now_s)

    def progressed(self, name: str, stage: str, fraction: float) -> list[Action]:
        """Loading got on."""
        model = self._models[name]
        if model.state is ModelState.LOADING:
            model.stage, model.fraction = stage, fraction
        return []

    def standing_by(self, name: str, now_s: float) -> list[Action]:
        """The process has imported all that loading needs."""
        model = self._models[name]
        if model.process is ProcessState.STARTING:
            model.has_process(ProcessState.STANDING_BY)
        return self.settle(now_s)

    def ready(
        self, name: str, now_s: float, *, sleeps: bool = False, seen: Seen | None = None
    ) -> list[Action]:
        """The model is loaded. It answers all who waited for that before it may have to leave for another."""
        model = self._models[name]
        if model.state is not ModelState.LOADING:
            return []
        model.enter(ModelState.READY, now_s)
        model.woken_s = None
        model.sleeps = sleeps
        model.last_try = model.shunned = False
        model.used_s = now_s
        model.deaths = deque(
            (death for death in model.deaths if not death.while_loading), model.deaths.maxlen
        )
        self._take(model.needs.device, seen)
        return _begin_answers(model) + self.settle(now_s)

    def slept(self, name: str, now_s: float, seen: Seen | None = None) -> list[Action]:
        """The process has given the device back and keeps the model close at hand."""
        model = self._models[name]
        if model.state is ModelState.STOPPING and model.leaving is Leaving.SLEEP:
            model.has_process(ProcessState.SLEEPING)
            model.yielding = None
            model.enter(ModelState.ASLEEP, now_s)
        self._take(model.needs.device, seen)
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
        on_device = model.state in _ON_DEVICE
        model.running.clear()
        model.has_process(ProcessState.NONE)
        model.unloading, model.yielding = False, None
        if on_device:
            model.enter(ModelState.ASLEEP, now_s)
        self._take(model.needs.device, seen)
        if error is not None and on_device:
            actions += self._after_failure(
                model, error, Death(now_s, while_loading) if retry else None, now_s
            )
        elif error is not None:
            model.shunned = True
        return actions + self.settle(now_s)

    def close(self, now_s: float) -> list[Action]:
        """Stops everything; nothing is begun any more."""
        self._closed = True
        actions: list[Action] = []
        for model in self._models.values():
            actions += [
                Refuse(answer_id, _closing()) for answer_id in (*model.waiting, *sorted(model.running))
            ]
            model.waiting.clear()
            model.running.clear()
            model.woken_s = None
            if model.process is not ProcessState.NONE and model.leaving is not Leaving.END:
                actions.append(_leave(model, Leaving.END, now_s))
        return actions

    def settle(self, now_s: float) -> list[Action]:
        """Decides all that can be decided now."""
        if self._closed:
            return []
        actions: list[Action] = []
        self._mark_wanted(now_s)
        for model in self._models.values():
            model.yielding = (
                Leaving.END if model.leaves_at_s is not None and now_s >= model.leaves_at_s else None
            )
        for device in {model.needs.device: None for model in self._models.values()}:
            actions += self._give_room(device, now_s)
        for model in self._models.values():
            way = Leaving.END if model.unloading else model.yielding
            if (
                (model.asleep or model.state in (ModelState.LOADING, ModelState.READY))
                and way
                and not model.running
            ):
                actions.append(_leave(model, way, now_s))
            elif model.state is ModelState.READY and way is None:
                actions += _begin_answers(model)
        return actions + self._stand_by()

    def _take(self, device: str, seen: Seen | None) -> None:
        """Takes what was measured for what is held; where that tells of all, also for what all may hold
        together."""
        if seen is None:
            return
        holders = self._holders(device)
        for model in holders:
            if model.state not in (ModelState.LOADING, ModelState.STOPPING):
                model.measured_bytes = seen.held_bytes.get(model.needs.name)
        if all(model.measured_bytes is not None for model in holders):
            self._budgets[device] = seen.free_bytes + sum(model.held_bytes for model in holders)

    def _mark_wanted(self, now_s: float) -> None:
        for model in self._models.values():
            wanted = model.wanted_since_s is not None
            if wanted and model.state is ModelState.ASLEEP:
                model.enter(ModelState.WAITING, now_s)
            elif not wanted and model.state is ModelState.WAITING:
                model.last_try = False
                model.enter(ModelState.ASLEEP, now_s)

    def _give_room(self, device: str, now_s: float) -> list[Action]:
        """Starts what fits, oldest wish first; where one does not fit, the younger wishes for memory wait
        behind it."""
        actions: list[Action] = []
        on_device = [model for model in self._models.values() if model.needs.device == device]
        blocked = any(model.last_try and model.state is ModelState.LOADING for model in on_device)
        wishes = [
            (since_s, model.needs.name, model)
            for model in on_device
            if model.state is ModelState.WAITING
            and model.restart_at_s <= now_s
            and (since_s := model.wanted_since_s) is not None
        ]
        for since_s, name, model in sorted(wishes, key=lambda wish: wish[:2]):
            if model.unloading:
                continue  # its sleeping process ends first
            if model.last_try and (others := self._idle_beside(model)):
                blocked = True
                for other in others:
                    other.yielding = Leaving.END
            elif not model.needs.planned or (not blocked and self._fits(model)):
                model.enter(ModelState.LOADING, now_s)
                model.has_process(ProcessState.ENGAGED)
                blocked = blocked or model.last_try
                actions.append(Start(name))
            elif not blocked:
                blocked = True
                self._ask_to_leave(model, patient=now_s < since_s + PATIENCE_S)
        return actions

    def _stand_by(self) -> list[Action]:
        """The next process to stand by, wanted models' first; loading goes undisturbed."""
        models = self._models.values()
        processes = [model.process for model in models]
        busy = ProcessState.STARTING in processes or any(
            model.state is ModelState.LOADING for model in models
        )
        if not self._standby or busy or processes.count(ProcessState.STANDING_BY) >= MAX_STANDING_BY:
            return []
        candidates = [
            model
            for model in models
            if model.needs.planned
            and model.process is ProcessState.NONE
            and model.state in (ModelState.ASLEEP, ModelState.WAITING)
            and not model.shunned
        ]
        if not candidates:
            return []
        model = min(candidates, key=lambda one: one.state is not ModelState.WAITING)
        model.has_process(ProcessState.STARTING)
        return [Prepare(model.needs.name)]

    def _waits_for(self, model: ModelRecord, now_s: float) -> tuple[str, ...]:
        if model.state is not ModelState.WAITING or not model.needs.planned or model.restart_at_s > now_s:
            return ()
        return tuple(one.needs.name for one in self._holders(model.needs.device) if one.running)

    def _holders(self, device: str) -> list[ModelRecord]:
        """The models whose processes hold memory of the device."""
        holding = (ProcessState.ENGAGED, ProcessState.SLEEPING)
        return [
            m
            for m in self._models.values()
            if m.needs.device == device and m.needs.planned and m.process in holding
        ]

    def _others(self, model: ModelRecord) -> list[Resident]:
        return [other.resident() for other in self._holders(model.needs.device) if other is not model]

    def _idle_beside(self, model: ModelRecord) -> list[ModelRecord]:
        """The others on its device whose memory can come back by itself: idle, asleep, or leaving already."""
        others = (
            other
            for other in self._models.values()
            if other is not model and other.needs.device == model.needs.device
        )
        return [
            other
            for other in others
            if other.idle or other.asleep or other.unloading or other.leaving is not None
        ]

    def _fits(self, model: ModelRecord) -> bool:
        assert model.needs.loading_bytes is not None
        return residency.fits(
            model.needs.loading_bytes, self._budgets[model.needs.device], self._others(model)
        )

    def _ask_to_leave(self, model: ModelRecord, *, patient: bool) -> None:
        assert model.needs.loading_bytes is not None
        others = self._others(model)
        idle = {resident.name for resident in others if resident.idle}
        for name, way in residency.to_release(
            model.needs.loading_bytes, self._budgets[model.needs.device], others
        ).items():
            other = self._models[name]
            if other.asleep or (other.state is ModelState.READY and (name in idle or not patient)):
                other.yielding = way

    def _after_failure(
        self, model: ModelRecord, error: LauncherError, death: Death | None, now_s: float
    ) -> list[Action]:
        """Restarts where that may help; else the model has FAILED and all who wait for it are told."""
        if isinstance(error, OutOfMemory) and not model.last_try and self._idle_beside(model):
            model.last_try = True
            model.woken_s = now_s
            return []
        pause_s = None
        if death is not None:
            model.deaths.append(death)
            pause_s = pause_before_restart_s(model.deaths)
        if pause_s is not None:
            model.restart_at_s = now_s + pause_s
            model.woken_s = now_s
            return []
        model.woken_s = None
        model.last_try = False
        model.error = error
        model.enter(ModelState.FAILED, now_s)
        actions: list[Action] = [Refuse(answer_id, error) for answer_id in model.waiting]
        model.waiting.clear()
        return actions


def _leave(model: ModelRecord, way: Leaving, now_s: float) -> Action:
    """The model begins to leave; it sleeps where it is asked to, is loaded and can."""
    if way is Leaving.SLEEP and not (model.sleeps and model.state is ModelState.READY):
        way = Leaving.END
    model.leaving = way
    model.enter(ModelState.STOPPING, now_s)
    return Sleep(model.needs.name) if way is Leaving.SLEEP else Stop(model.needs.name)


def _begin_answers(model: ModelRecord) -> list[Action]:
    actions: list[Action] = [Send(model.needs.name, answer_id) for answer_id in model.waiting]
    model.running.update(model.waiting)
    model.waiting.clear()
    return actions


def _closing() -> EngineError:
    return EngineError("The launcher is closing.", hint="Start it again, then ask again.")


def _busy(name: str) -> EngineError:
    return EngineError(
        "{model} is busy: {count} questions are open.", "Ask again later.", model=name, count=MAX_OPEN_ANSWERS
    )
