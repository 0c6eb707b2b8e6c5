"""Which model starts, stops and gets which question: the one owner of every model's state. Pure: no clock, thread or process.

Each method tells it of something that happened at ``now_s`` and returns what must be done, in order. All state of all models is
here, so that what is decided for one model is decided knowing the others.

    UNAVAILABLE        ASLEEP ──wanted──> WAITING ──room──> LOADING ──ready──> READY ──asked to go──> STOPPING ──> ASLEEP, or
                                             ^                 │                 │                                 WAITING again
                                             └──restart pause──┴──────died───────┘──too often──> FAILED ──wake──> WAITING

Room: models without a planned size always have it. Of those that share a device, the one that has waited longest is served first:
idle models leave for it at once, busy ones finish the answers they have begun and, once it has waited PATIENCE_S, begin no more.
A model that finds less memory than planned is tried once more, alone: after all that is idle on its device has left,
and while nothing else loads there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from launcher.errors import EngineError, LauncherError, OutOfMemory
from launcher.workers import residency
from launcher.workers.restarts import MAX_RESTARTS, Death, pause_before_restart_s
from launcher.workers.states import DeviceUse, ModelState, ModelStatus

PATIENCE_S = 5.0
"""A model in demand goes on taking questions for this long while another waits for its memory; so questions for one model are
gathered rather than switched between, and nobody waits longer than this, the answers begun before, and the load."""

MAX_OPEN_ANSWERS = 512
"""For each model; beyond, a question is refused rather than queued for minutes."""


@dataclass(frozen=True, slots=True)
class Start:
    """Spawn a process for the model and load it."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the model's process."""

    name: str


@dataclass(frozen=True, slots=True)
class Send:
    """Give the question to the model's process."""

    name: str
    answer_id: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Tell the model's process that nobody reads this answer any more."""

    name: str
    answer_id: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the answer with an error."""

    answer_id: int
    error: LauncherError


Action = Start | Stop | Send | Withdraw | Refuse


@dataclass(frozen=True, slots=True)
class ModelNeeds:
    """What the scheduler knows of a model beforehand.

    Attributes:
        device: models on the same device share its budget.
        needs_bytes: from its memory plan; None where nothing is planned.
        keep_alive_s: how long it stays loaded while nobody uses it; None is until another model needs its place.
        unavailable: why it cannot run here.
    """

    name: str
    device: str = ""
    needs_bytes: int | None = None
    keep_alive_s: float | None = None
    unavailable: LauncherError | None = None


@dataclass(slots=True)
class _Model:
    needs: ModelNeeds
    state: ModelState = ModelState.ASLEEP
    entered_s: float = 0.0
    stage: str = ""
    fraction: float = 0.0
    error: LauncherError | None = None
    woken_s: float | None = None  # asked to load, by a person or by a restart; None once it has
    waiting: dict[int, float] = field(default_factory=dict)  # answer id -> when it was asked
    running: set[int] = field(default_factory=set)
    unloading: bool = False
    yielding: bool = False  # begins no more answers, as another model has waited for too long
    last_try: bool = False  # memory ran out while it loaded: it is tried once more, with nothing idle beside it
    used_s: float = 0.0
    restart_at_s: float = 0.0
    deaths: deque[Death] = field(default_factory=lambda: deque(maxlen=MAX_RESTARTS + 1))

    @property
    def wanted_since_s(self) -> float | None:
        times_s = [*self.waiting.values()] if self.woken_s is None else [*self.waiting.values(), self.woken_s]
        return min(times_s, default=None)

    @property
    def idle(self) -> bool:
        return self.state is ModelState.READY and not self.running and not self.waiting

    @property
    def leaving(self) -> bool:
        return self.state is ModelState.STOPPING or self.unloading

    @property
    def leaves_at_s(self) -> float | None:
        """When it has been idle for as long as it may."""
        return None if self.needs.keep_alive_s is None or not self.idle else self.used_s + self.needs.keep_alive_s

    def enter(self, state: ModelState, now_s: float) -> None:
        self.state, self.entered_s, self.stage, self.fraction = state, now_s, "", 0.0


class Scheduler:
    """The state machine of all models. ``budgets`` bounds, in bytes, what models with a planned size hold of each device."""

    def __init__(self, models: Iterable[ModelNeeds], budgets: Mapping[str, int]) -> None:
        self._models = {needs.name: _Model(needs) for needs in models}
        self._budgets = budgets
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
        devices = {model.needs.device: None for model in self._models.values() if model.needs.needs_bytes is not None}
        return tuple(
            DeviceUse(device, {one.name: one.needs_bytes for one in self._residents(device)}, self._budgets[device])
            for device in devices
        )

    def next_due_s(self, now_s: float) -> float | None:
        """When `settle` is worth calling though nothing has happened: a pause, a patience or a model's stay ends then."""
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
        """A question for the model; it waits for the model to load. One that has failed refuses until it is woken."""
        model = self._models[name]
        if self._closed:
            return [Refuse(answer_id, EngineError("The launcher is closing.", hint="Start it again, then ask again."))]
        if model.state in (ModelState.UNAVAILABLE, ModelState.FAILED) and model.error is not None:
            return [Refuse(answer_id, model.error)]
        if len(model.waiting) + len(model.running) >= MAX_OPEN_ANSWERS:
            return [
                Refuse(
                    answer_id,
                    EngineError(
                        "{model} is busy: {count} questions are open.", "Ask again later.", model=name, count=MAX_OPEN_ANSWERS
                    ),
                )
            ]
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
        """A person wants the memory back: the model goes when the answers it has begun are finished."""
        model = self._models[name]
        model.woken_s = None
        if model.state in (ModelState.LOADING, ModelState.READY):
            model.unloading = True
        return self.settle(now_s)

    def progressed(self, name: str, stage: str, fraction: float) -> list[Action]:
        """Loading got on."""
        model = self._models[name]
        if model.state is ModelState.LOADING:
            model.stage, model.fraction = stage, fraction
        return []

    def ready(self, name: str, now_s: float) -> list[Action]:
        """The model is loaded. It answers all who waited for that before it may have to leave for another."""
        model = self._models[name]
        if model.state is not ModelState.LOADING:
            return []
        model.enter(ModelState.READY, now_s)
        model.woken_s = None
        model.last_try = False
        model.used_s = now_s
        model.deaths = deque((death for death in model.deaths if not death.while_loading), model.deaths.maxlen)
        return _begin_answers(model) + self.settle(now_s)

    def finished(self, name: str, answer_id: int, now_s: float) -> list[Action]:
        """The process is done with an answer, whichever way."""
        model = self._models[name]
        model.running.discard(answer_id)
        model.used_s = now_s
        return self.settle(now_s)

    def ended(self, name: str, error: LauncherError | None, *, retry: bool, while_loading: bool, now_s: float) -> list[Action]:
        """The process is gone; ``error`` is None when it had been stopped."""
        model = self._models[name]
        refused = error or EngineError("{model} was stopped.", hint="Ask again.", model=name)
        actions: list[Action] = [Refuse(answer_id, refused) for answer_id in sorted(model.running)]
        model.running.clear()
        model.unloading = model.yielding = False
        model.enter(ModelState.ASLEEP, now_s)
        if error is not None:
            actions += self._after_failure(model, error, Death(now_s, while_loading) if retry else None, now_s)
        return actions + self.settle(now_s)

    def close(self, now_s: float) -> list[Action]:
        """Stops everything; nothing is begun any more."""
        self._closed = True
        closing = EngineError("The launcher is closing.", hint="Start it again, then ask again.")
        actions: list[Action] = []
        for name, model in self._models.items():
            actions += [Refuse(answer_id, closing) for answer_id in (*model.waiting, *sorted(model.running))]
            model.waiting.clear()
            model.running.clear()
            model.woken_s = None
            if model.state in (ModelState.LOADING, ModelState.READY):
                model.enter(ModelState.STOPPING, now_s)
                actions.append(Stop(name))
        return actions

    def settle(self, now_s: float) -> list[Action]:
        """Decides all that can be decided now."""
        actions: list[Action] = []
        self._mark_wanted(now_s)
        for model in self._models.values():
            model.yielding = model.leaves_at_s is not None and now_s >= model.leaves_at_s
        for device in {model.needs.device: None for model in self._models.values()}:
            actions += self._give_room(device, now_s)
        for name, model in self._models.items():
            if model.state not in (ModelState.LOADING, ModelState.READY):
                continue
            if (model.unloading or model.yielding) and not model.running:
                model.enter(ModelState.STOPPING, now_s)
                actions.append(Stop(name))
            elif model.state is ModelState.READY and not (model.unloading or model.yielding):
                actions += _begin_answers(model)
        return actions

    def _mark_wanted(self, now_s: float) -> None:
        for model in self._models.values():
            wanted = model.wanted_since_s is not None
            if wanted and model.state is ModelState.ASLEEP:
                model.enter(ModelState.WAITING, now_s)
            elif not wanted and model.state is ModelState.WAITING:
                model.last_try = False
                model.enter(ModelState.ASLEEP, now_s)

    def _give_room(self, device: str, now_s: float) -> list[Action]:
        """Starts what fits, oldest wish first; where one does not fit, the younger wishes for memory wait behind it."""
        actions: list[Action] = []
        on_device = [(name, model) for name, model in self._models.items() if model.needs.device == device]
        blocked = any(model.last_try and model.state is ModelState.LOADING for _, model in on_device)
        wishes = [
            (since_s, name, model)
            for name, model in on_device
            if model.state is ModelState.WAITING and model.restart_at_s <= now_s and (since_s := model.wanted_since_s) is not None
        ]
        for since_s, name, model in sorted(wishes, key=lambda wish: wish[:2]):
            if model.last_try and (others := self._idle_beside(model)):
                blocked = True
                for other in others:
                    other.yielding = True
            elif model.needs.needs_bytes is None or (not blocked and self._fits(model)):
                model.enter(ModelState.LOADING, now_s)
                blocked = blocked or model.last_try
                actions.append(Start(name))
            elif not blocked:
                blocked = True
                self._ask_to_leave(model, patient=now_s < since_s + PATIENCE_S)
        return actions

    def _waits_for(self, model: _Model, now_s: float) -> tuple[str, ...]:
        if model.state is not ModelState.WAITING or model.needs.needs_bytes is None or model.restart_at_s > now_s:
            return ()
        return tuple(one.name for one in self._residents(model.needs.device) if self._models[one.name].running)

    def _residents(self, device: str) -> list[residency.Resident]:
        holding = (ModelState.LOADING, ModelState.READY, ModelState.STOPPING)
        return [
            residency.Resident(
                name=name,
                needs_bytes=model.needs.needs_bytes,
                idle=model.idle,
                used_s=model.used_s,
                leaving=model.leaving,
            )
            for name, model in self._models.items()
            if model.needs.device == device and model.needs.needs_bytes is not None and model.state in holding
        ]

    def _idle_beside(self, model: _Model) -> list[_Model]:
        """The others on its device whose memory can come back by itself: idle, or leaving already."""
        others = (other for other in self._models.values() if other is not model and other.needs.device == model.needs.device)
        return [other for other in others if other.idle or other.leaving]

    def _fits(self, model: _Model) -> bool:
        assert model.needs.needs_bytes is not None
        return residency.fits(model.needs.needs_bytes, self._budgets[model.needs.device], self._residents(model.needs.device))

    def _ask_to_leave(self, model: _Model, *, patient: bool) -> None:
        assert model.needs.needs_bytes is not None
        residents = self._residents(model.needs.device)
        idle = {resident.name for resident in residents if resident.idle}
        for name in residency.to_release(model.needs.needs_bytes, self._budgets[model.needs.device], residents):
            if self._models[name].state is ModelState.READY and (name in idle or not patient):
                self._models[name].yielding = True

    def _after_failure(self, model: _Model, error: LauncherError, death: Death | None, now_s: float) -> list[Action]:
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


def _begin_answers(model: _Model) -> list[Action]:
    actions: list[Action] = [Send(model.needs.name, answer_id) for answer_id in model.waiting]
    model.running.update(model.waiting)
    model.waiting.clear()
    return actions
