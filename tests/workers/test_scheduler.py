"""The scheduler against a world that does whatever it may: what must always hold, and that everyone is served
in the end."""

from __future__ import annotations

import copy
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from launcher.errors import DeviceError, EngineError, LauncherError, OutOfMemory, WorkerDied
from launcher.workers.actions import (
    Action,
    Look,
    Prepare,
    PrepareSpare,
    Refuse,
    Send,
    Sleep,
    Start,
    Stop,
    StopSpare,
    UseSpare,
    Withdraw,
)
from launcher.workers.model_record import NEARLY_LOADED, Claim, ModelNeeds
from launcher.workers.placement import PATIENCE_S
from launcher.workers.scheduler import MAX_OPEN_ANSWERS, Scheduler
from launcher.workers.standby import MAX_STANDING_BY, STANDBY_BYTES
from launcher.workers.states import ModelState, ProcessState, Seen

BUDGET_BYTES = 8
BUDGETS = {"cuda:0": BUDGET_BYTES, "cpu": BUDGET_BYTES}
PAGES = ("page 1", "page 2", "page 3")
KEEP_ALIVE_S = 20.0
MODELS = (
    ModelNeeds("large", {"cuda:0": Claim(7, ready_bytes=6, asleep_bytes=1)}, stands_by=True),
    ModelNeeds("medium", {"cuda:0": Claim(5)}, stands_by=True),
    ModelNeeds("small", {"cuda:0": Claim(3, asleep_bytes=1)}, stands_by=True, keep_alive_s=KEEP_ALIVE_S),
    ModelNeeds("free", {"cpu": Claim()}, keep_alive_s=KEEP_ALIVE_S),
    ModelNeeds("slow", {"cpu": Claim(6)}),
    ModelNeeds("slower", {"cpu": Claim(5)}, keep_alive_s=KEEP_ALIVE_S),
    ModelNeeds("missing", unavailable=DeviceError("no GPU")),
)
KEPT_ALIVE = {model.name for model in MODELS if model.keep_alive_s is not None}
SLEEPERS = {"large", "small", "free"}
LOADING = {"large": 7, "medium": 5, "small": 3, "slow": 6, "slower": 5, "missing": 4}
READY = {**LOADING, "large": 6}
ASLEEP = {"large": 1, "small": 1}
STAND_BY = {model.name for model in MODELS if model.stands_by}
names = st.sampled_from([model.name for model in MODELS])
pages = st.sampled_from(PAGES)


class World(RuleBasedStateMachine):
    """Processes and answers as the scheduler's actions make them; everything that can happen to them does."""

    models = MODELS
    budgets: ClassVar = BUDGETS
    looks = False
    cards: ClassVar = ("cuda:0",)

    @initialize()
    def begin(self) -> None:
        self.scheduler = Scheduler(self.models, self.budgets, standby=True, looks=self.looks)
        self.claims = {model.name: tuple(model.claims) for model in self.models}
        self.is_settled = False  # what can be decided now has been
        self.at: dict[str, str] = {}  # model -> the device that its process is on
        self.taken = dict.fromkeys(self.budgets, 0)  # by other programs
        self.looking: set[str] = set()
        self.seen_s: dict[str, float] = {}
        self.now_s = 0.0
        self.wishes: dict[str, str] = {}  # page -> model
        self.restarting: set[str] = set()  # for nobody, since they died
        self.put_away: set[str] = set()
        self.given_back = False  # by a person, and nothing is wanted since
        self.has_ram = True
        self.spares_starting: set[str] = set()
        self.spares: set[str] = set()  # that stand by
        self.preparing: set[str] = set()
        self.standing: set[str] = set()  # prepared, or asleep
        self.asleep: set[str] = set()
        self.loading: set[str] = set()
        self.loaded: set[str] = set()
        self.falling: set[str] = set()
        self.stopping: set[str] = set()
        self.had_been: dict[str, str] = {}
        self.asked: dict[int, str] = {}
        self.sent: dict[int, str] = {}
        self.withdrawn: set[int] = set()
        self.over: dict[int, object] = {}
        self.used_s: dict[str, float] = {}
        self.on_last_try: set[str] = set()
        self.next_id = 1
        self.do(self.scheduler.settle(self.now_s))

    @property
    def processes(self) -> set[str]:
        return self.preparing | self.standing | self.loading | self.loaded | self.falling | self.stopping

    def held(self, name: str) -> int:
        """What a process holds at most, in the state it is in."""
        if name in self.stopping:
            had = {"loading": LOADING, "asleep": ASLEEP, "loaded": READY, "": {}}[self.had_been[name]]
            return had.get(name, 0)
        if name in self.loading:
            return LOADING.get(name, 0)
        if name in self.loaded | self.falling:
            return READY.get(name, 0)
        return ASLEEP[name] if name in self.asleep and name in ASLEEP else 0

    def leave_all_groups(self, name: str) -> None:
        for group in (
            self.preparing,
            self.standing,
            self.asleep,
            self.loading,
            self.loaded,
            self.falling,
            self.stopping,
        ):
            group.discard(name)

    def do(self, actions: list[Action], *, settles: bool = True) -> None:
        """Carries out what was decided; ``settles`` where that was all that could be decided then."""
        self.is_settled |= settles
        for action in actions:
            match action:
                case Prepare(name):
                    assert name not in self.processes
                    assert name in STAND_BY
                    assert name not in self.put_away, "a person wanted its memory back"
                    assert self.has_ram
                    assert not self.given_back
                    self.nothing_is_disturbed()
                    assert len(self.standing - self.asleep) < MAX_STANDING_BY
                    self.preparing.add(name)
                case PrepareSpare(name):
                    assert name in self.loaded
                    assert name in STAND_BY
                    assert name not in self.put_away | self.spares
                    assert self.has_ram
                    assert not self.given_back
                    self.nothing_is_disturbed()
                    assert len(self.standing - self.asleep) + len(self.spares) < MAX_STANDING_BY
                    self.spares_starting.add(name)
                case UseSpare(name):
                    assert name not in self.processes
                    (self.preparing if name in self.spares_starting else self.standing).add(name)
                    self.lose_spare(name)
                case StopSpare(name):
                    assert name in self.spares | self.spares_starting
                    self.lose_spare(name)
                case Start(name, device):
                    assert name not in self.loading | self.loaded | self.falling | self.stopping
                    asked = name in self.asked.values()
                    assert asked or name in self.wishes.values() or name in self.restarting, "for nobody"
                    assert asked or name not in LOADING or not self.has_to_wait(device)
                    assert name not in self.asleep or self.at[name] == device, "it sleeps elsewhere"
                    self.leave_all_groups(name)
                    self.loading.add(name)
                    self.at[name] = device
                    self.has_a_place(name, device)
                case Look(device):
                    assert self.looks
                    self.looking.add(device)
                case Sleep(name):
                    assert name in self.loaded
                    assert name in SLEEPERS
                    assert name not in self.sent.values(), "an answer would be cut off"
                    self.loaded.discard(name)
                    self.falling.add(name)
                case Stop(name):
                    assert name in self.processes - self.stopping
                    assert name not in self.sent.values(), "an answer would be cut off"
                    if name in self.loading:
                        assert name not in self.asked.values(), "a question waits for that load"
                    self.had_been[name] = next(
                        (
                            was
                            for was, group in {
                                "loading": self.loading,
                                "asleep": self.asleep,
                                "loaded": self.loaded | self.falling,
                            }.items()
                            if name in group
                        ),
                        "",
                    )
                    self.leave_all_groups(name)
                    self.stopping.add(name)
                case Send(name, answer_id):
                    assert name in self.loaded
                    assert self.asked.pop(answer_id) == name, "sent twice, or to the wrong model"
                    self.sent[answer_id] = name
                case Withdraw(name, answer_id):
                    assert self.sent[answer_id] == name
                    self.withdrawn.add(answer_id)
                case Refuse(answer_id, error):
                    self.asked.pop(answer_id, None)
                    self.sent.pop(answer_id, None)
                    assert answer_id not in self.over
                    self.over[answer_id] = error
        # Nobody wants it any more: whoever wants it next has two tries again.
        nobodys = (ModelState.ASLEEP, ModelState.FAILED)
        self.on_last_try -= {name for name in self.on_last_try if self.state(name) in nobodys}

    def nothing_is_disturbed(self) -> None:
        assert not self.loading
        assert not self.preparing
        assert not self.spares_starting

    def lose_spare(self, name: str) -> None:
        self.spares.discard(name)
        self.spares_starting.discard(name)

    def has_to_wait(self, device: str) -> bool:
        """Whether a question waits for a model to load on the device."""
        return any(
            device in self.claims[name]
            and self.scheduler._models[name].heading in ("", device)
            and self.state(name) is ModelState.WAITING
            and name in LOADING
            and self.scheduler._models[name].restart_at_s <= self.now_s
            for name in self.asked.values()
        )

    def has_a_place(self, name: str, device: str) -> None:
        """A load that begins fits into what was last told of its device, or is alone there where no device
        has more; and of several, none was chosen by what is long out of date."""
        if name not in LOADING:
            return
        told = {one: self.scheduler._ledger.budget(one) for one in self.claims[name]}
        if told[device] < LOADING[name]:
            assert all(budget < LOADING[name] for budget in told.values()), "another device has more"
        others = self.held_on(device) - self.held(name)
        assert not others or others + self.held(name) <= told[device]
        if self.looks and len(told) > 1:
            since_s = self.scheduler._models[name].wanted_since_s
            assert since_s is not None
            assert all(self.seen_s[one] >= since_s for one in told)

    def held_on(self, device: str) -> int:
        return sum(self.held(name) for name in self.processes if self.at.get(name) == device)

    def end_process(self, name: str, error: LauncherError | None, *, retry: bool) -> None:
        while_loading = name in self.loading
        if retry and name in self.loading | self.loaded:
            self.restarting.add(name)
        self.leave_all_groups(name)
        if device := self.at.pop(name, ""):
            self.seen_s[device] = self.now_s
        self.do(self.scheduler.ended(name, error, retry=retry, while_loading=while_loading, now_s=self.now_s))
        assert name not in self.sent.values(), "a question was left with a dead process"

    @rule(name=names, retry=st.booleans())
    def ask(self, name: str, retry: bool) -> None:
        answer_id, self.next_id = self.next_id, self.next_id + 1
        self.asked[answer_id] = name
        self.used_s[name] = self.now_s
        failed = self.state(name) is ModelState.FAILED
        if retry or not failed:
            self.put_away.discard(name)
            self.given_back = False
        actions = self.scheduler.ask(name, answer_id, self.now_s, retry=retry)
        self.do(actions, settles=not any(isinstance(action, Refuse) for action in actions))
        if failed:
            assert isinstance(self.over.get(answer_id), LauncherError) is not retry

    @rule(name=names, page=pages)
    def wake(self, name: str, page: str) -> None:
        self.used_s[name] = self.now_s
        self.put_away.discard(name)
        self.given_back = False
        self.wishes[page] = name
        self.do(self.scheduler.wake(name, self.now_s, page=page))
        assert self.state(name) is not ModelState.FAILED

    @rule(name=names, page=pages)
    def open_page(self, name: str, page: str) -> None:
        """Like a wish, but nobody leaves for it; a wish that the page had before is withdrawn as it is when
        the page closes."""
        page_closed = copy.deepcopy(self.scheduler)
        page_closed.leave(page, self.now_s)
        self.wishes[page] = name
        actions = self.scheduler.wake(name, self.now_s, page=page, only_if_free=True)
        if self.state(name) is not ModelState.FAILED:
            self.put_away.discard(name)
            self.given_back = False
            self.used_s[name] = self.scheduler._models[name].used_s
        self.do(actions)
        left = {one for one in self.scheduler._models if self.state(one) is ModelState.STOPPING}
        would_leave = {
            one for one, model in page_closed._models.items() if model.state is ModelState.STOPPING
        }
        assert left <= would_leave

    @rule()
    def a_model_comes(self) -> None:
        """What could not run can from now on; told twice, it is as once."""
        came = ModelNeeds("missing", {card: Claim(LOADING["missing"]) for card in self.cards})
        self.claims["missing"] = self.cards
        self.do(self.scheduler.offer([*self.models[:-1], came], self.budgets, self.now_s))
        assert self.state("missing") is not ModelState.UNAVAILABLE

    @rule(page=pages)
    def leave(self, page: str) -> None:
        self.wishes.pop(page, None)
        self.do(self.scheduler.leave(page, self.now_s))

    @rule(name=names)
    def unload(self, name: str) -> None:
        self.put_away.add(name)
        self.given_back = True
        self.restarting.discard(name)
        self.wishes = {page: wish for page, wish in self.wishes.items() if wish != name}
        self.do(self.scheduler.unload(name, self.now_s))

    @rule(enough=st.booleans())
    def see_ram(self, enough: bool) -> None:
        self.has_ram = enough
        self.scheduler.has_ram(STANDBY_BYTES if enough else STANDBY_BYTES - 1)
        self.is_settled = False

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), fraction=st.sampled_from([0.1, NEARLY_LOADED]))
    def progress(self, data: st.DataObject, fraction: float) -> None:
        """Loading never goes back: one that was nearly loaded stays so."""
        name = data.draw(st.sampled_from(sorted(self.loading)))
        done = max(fraction, self.scheduler._models[name].fraction)
        self.do(self.scheduler.progressed(name, "weights", done), settles=False)

    @precondition(lambda self: self.asked or self.sent)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        answer_id = data.draw(st.sampled_from(sorted({*self.asked, *self.sent} - self.withdrawn) or [0]))
        if answer_id:
            name = (self.asked | self.sent)[answer_id]
            if self.asked.pop(answer_id, None):
                self.over[answer_id] = "cancelled"
            self.do(self.scheduler.cancel(name, answer_id, self.now_s), settles=answer_id not in self.sent)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        answer_id = data.draw(st.sampled_from(sorted(self.sent)))
        name = self.sent.pop(answer_id)
        self.over[answer_id] = "finished"
        self.used_s[name] = self.now_s
        self.do(self.scheduler.finished(name, answer_id, self.now_s))

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), measured=st.booleans())
    def load(self, data: st.DataObject, measured: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.loading)))
        self.loading.remove(name)
        self.now_loaded(name)
        self.used_s[name] = self.now_s
        self.on_last_try.discard(name)
        self.do(self.scheduler.ready(name, self.now_s, sleeps=name in SLEEPERS))
        assert name not in self.asked.values(), "a question waits for what is decided next"
        self.is_settled = measured
        if measured:
            self.tell(self.at[name], self.seen(name))

    def now_loaded(self, name: str) -> None:
        self.loaded.add(name)
        if not self.scheduler._models[name].unloading:
            self.put_away.discard(name)
        self.restarting.discard(name)
        self.wishes = {page: wish for page, wish in self.wishes.items() if wish != name}

    def tell(self, device: str, seen: Seen | None) -> None:
        self.seen_s[device] = self.now_s
        self.do(self.scheduler.measured(device, seen, self.now_s))

    def seen(self, name: str) -> Seen | None:
        return self.seen_of(self.at[name]) if name in LOADING else None

    def seen_of(self, device: str) -> Seen:
        """What is measured is what processes hold, and what other programs do."""
        held = {
            name: self.held(name) for name in self.processes & LOADING.keys() if self.at.get(name) == device
        }
        free = self.budgets[device] - self.taken[device] - sum(held.values())
        return Seen(max(0, free), held)

    @precondition(lambda self: self.preparing)
    @rule()
    def prepare(self) -> None:
        (name,) = self.preparing
        self.preparing.remove(name)
        self.standing.add(name)
        self.do(self.scheduler.standing_by(name, self.now_s))

    @precondition(lambda self: self.spares_starting)
    @rule()
    def prepare_spare(self) -> None:
        (name,) = self.spares_starting
        self.lose_spare(name)
        self.spares.add(name)
        self.do(self.scheduler.spare_stands_by(name, self.now_s))

    @precondition(lambda self: self.spares | self.spares_starting)
    @rule(data=st.data())
    def spare_dies(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.spares | self.spares_starting)))
        self.lose_spare(name)
        self.do(self.scheduler.spare_ended(name, self.now_s))

    @precondition(lambda self: self.falling)
    @rule(data=st.data(), measured=st.booleans())
    def fall_asleep(self, data: st.DataObject, measured: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.falling)))
        self.falling.remove(name)
        self.standing.add(name)
        self.asleep.add(name)
        self.seen_s[self.at[name]] = self.now_s
        self.do(self.scheduler.slept(name, self.now_s, self.seen(name) if measured else None))

    @precondition(lambda self: self.loading)
    @rule(data=st.data())
    def refuse_to_load(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.loading)))
        self.end_process(name, EngineError("no weights"), retry=False)
        self.on_last_try.discard(name)
        assert self.state(name) is ModelState.FAILED

    @precondition(lambda self: self.loading)
    @rule(data=st.data())
    def run_out_of_memory(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.loading)))
        self.end_process(name, OutOfMemory("full"), retry=False)
        if self.state(name) is ModelState.FAILED:
            self.on_last_try.discard(name)
        else:
            assert name not in self.on_last_try, "a third try"
            self.on_last_try.add(name)

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.processes)))
        asked_to = name in self.stopping | self.falling
        self.end_process(name, None if asked_to else WorkerDied("died"), retry=not asked_to)

    def looked(self, device: str, *, told: bool) -> None:
        self.looking.remove(device)
        self.tell(device, self.seen_of(device) if told else None)

    @rule(passed_s=st.sampled_from([0.1, PATIENCE_S, 60.0]))
    def wait(self, passed_s: float) -> None:
        self.now_s += passed_s
        self.do(self.scheduler.settle(self.now_s))

    @invariant()
    def planned_models_share_the_budget(self) -> None:
        for device, budget in self.budgets.items():
            assert self.held_on(device) <= budget

    @invariant()
    def nobody_idle_outstays_its_time(self) -> None:
        for name in (self.loaded | self.asleep) & KEPT_ALIVE - {*self.asked.values(), *self.sent.values()}:
            if self.state(name) is ModelState.WAITING:
                continue
            assert self.now_s < self.used_s[name] + KEEP_ALIVE_S
            due_s = self.scheduler.next_due_s(self.now_s)
            assert due_s is not None
            assert due_s <= self.used_s[name] + KEEP_ALIVE_S

    @invariant()
    def nothing_is_left_to_decide(self) -> None:
        """Nobody asks a second time before something happens, or is due."""
        if self.is_settled:
            assert copy.deepcopy(self.scheduler).settle(self.now_s) == []

    @invariant()
    def statuses_tell_the_truth(self) -> None:
        for status in self.scheduler.statuses(self.now_s):
            assert status.waiting == list(self.asked.values()).count(status.name)
            assert status.running == list(self.sent.values()).count(status.name)
            assert (status.state is ModelState.LOADING) == (status.name in self.loading)
            assert (status.state is ModelState.READY) == (status.name in self.loaded)
            assert (status.state is ModelState.STOPPING) == (status.name in self.stopping | self.falling)
            assert (status.process is ProcessState.NONE) == (status.name not in self.processes)
            if status.state is not ModelState.STOPPING:
                assert (status.process is ProcessState.STARTING) == (status.name in self.preparing)
                assert (status.process is ProcessState.SLEEPING) == (status.name in self.asleep)
            assert (status.error is not None) == (status.state in (ModelState.FAILED, ModelState.UNAVAILABLE))
            assert status.since_s >= 0

    @invariant()
    def everybody_is_where_it_may_be(self) -> None:
        for status in self.scheduler.statuses(self.now_s):
            assert status.device == self.at.get(status.name, "")
            assert status.device in ("", *self.claims[status.name])

    @invariant()
    def a_spare_is_for_a_model_that_has_a_process_and_may_have_another(self) -> None:
        assert self.spares | self.spares_starting <= self.processes - self.put_away

    @invariant()
    def nobody_waits_for_what_will_not_come(self) -> None:
        for name in self.asked.values():
            assert self.state(name) not in (ModelState.ASLEEP, ModelState.FAILED, ModelState.UNAVAILABLE)

    def state(self, name: str) -> ModelState:
        return next(status.state for status in self.scheduler.statuses(self.now_s) if status.name == name)

    def teardown(self) -> None:
        """From any state, a world that works serves everyone within a bounded number of steps."""
        if not hasattr(self, "scheduler"):
            return
        for _ in range(100):
            if not self.asked and not self.sent:
                break
            for name in sorted(self.loading):
                self.loading.remove(name)
                self.now_loaded(name)
                self.do(self.scheduler.ready(name, self.now_s, sleeps=name in SLEEPERS))
            for name in sorted(self.falling):
                self.falling.remove(name)
                self.standing.add(name)
                self.asleep.add(name)
                self.do(self.scheduler.slept(name, self.now_s))
            for device in sorted(self.looking):
                self.looked(device, told=True)
            for answer_id, name in sorted(self.sent.items()):
                del self.sent[answer_id]
                self.over[answer_id] = "finished"
                self.do(self.scheduler.finished(name, answer_id, self.now_s))
            for name in sorted(self.stopping):
                self.end_process(name, None, retry=False)
            self.wait(60.0)
        assert not self.asked, f"never served: {self.scheduler.statuses(self.now_s)}"
        assert sorted(self.over) == list(range(1, self.next_id))


World.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase


class SeveralCards(World):
    """Three cards, of which other programs take and give back what they like, without a word; ``small`` has
    to be on the third, as its preset says."""

    models = (
        ModelNeeds(
            "large",
            {card: Claim(7, ready_bytes=6, asleep_bytes=1) for card in ("GPU-a", "GPU-b")},
            stands_by=True,
        ),
        ModelNeeds("medium", {card: Claim(5) for card in ("GPU-a", "GPU-b", "GPU-c")}, stands_by=True),
        ModelNeeds("small", {"GPU-c": Claim(3, asleep_bytes=1)}, stands_by=True, keep_alive_s=KEEP_ALIVE_S),
        ModelNeeds("free", {"GPU-a": Claim(), "GPU-b": Claim()}, keep_alive_s=KEEP_ALIVE_S),
        ModelNeeds("slow", {card: Claim(6) for card in ("GPU-c", "GPU-b")}),
        ModelNeeds("slower", {card: Claim(5) for card in ("GPU-b", "GPU-a")}, keep_alive_s=KEEP_ALIVE_S),
        ModelNeeds("missing", unavailable=DeviceError("no GPU")),
    )
    budgets: ClassVar = {"GPU-a": 8, "GPU-b": 12, "GPU-c": 6}
    looks = True
    cards: ClassVar = ("GPU-a", "GPU-c")

    @rule(device=st.sampled_from(["GPU-a", "GPU-b", "GPU-c"]), taken=st.sampled_from([0, 2, 6, 12]))
    def others_come_and_go(self, device: str, taken: int) -> None:
        self.taken[device] = taken

    @precondition(lambda self: self.looking)
    @rule(data=st.data(), told=st.booleans())
    def look(self, data: st.DataObject, told: bool) -> None:
        self.looked(data.draw(st.sampled_from(sorted(self.looking))), told=told)


SeveralCards.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestSeveralCards = SeveralCards.TestCase


def start(name: str) -> Start:
    """Of a model that has one device."""
    (device,) = next((tuple(model.claims) for model in MODELS if model.name == name), ("cuda:0",))
    return Start(name, device)


def started(scheduler: Scheduler, name: str, now_s: float = 0.0) -> None:
    assert scheduler.wake(name, now_s) == [start(name)]
    assert scheduler.ready(name, now_s) == []


def test_a_busy_model_takes_questions_until_patience_ends_then_gives_way() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "large")
    assert scheduler.ask("large", 1, 0.0) == [Send("large", 1)]
    assert scheduler.ask("medium", 2, 1.0) == []
    assert scheduler.ask("large", 3, 2.0) == [Send("large", 3)]
    due_s = scheduler.next_due_s(2.0)
    assert due_s == 1.0 + PATIENCE_S
    assert scheduler.settle(due_s) == []
    assert scheduler.ask("large", 4, due_s) == []
    assert scheduler.finished("large", 1, due_s) == []
    assert scheduler.finished("large", 3, due_s) == [Stop("large")]
    assert scheduler.ended("large", None, retry=False, while_loading=False, now_s=due_s) == [start("medium")]
    assert scheduler.ready("medium", due_s) == [Send("medium", 2)]
    assert scheduler.finished("medium", 2, due_s) == [Stop("medium")]
    assert scheduler.ended("medium", None, retry=False, while_loading=False, now_s=due_s) == [start("large")]


def test_who_gives_up_waiting_no_longer_pushes_a_model_out() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "large")
    scheduler.ask("large", 1, 0.0)
    scheduler.ask("medium", 2, 0.0)
    assert scheduler.ask("large", 3, PATIENCE_S) == []
    assert scheduler.cancel("medium", 2, PATIENCE_S) == [Send("large", 3)]


def test_a_small_model_does_not_overtake_a_large_one_that_waits_longer() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "medium")
    assert scheduler.ask("medium", 1, 0.0) == [Send("medium", 1)]
    assert scheduler.ask("large", 2, 0.0) == []
    assert scheduler.ask("small", 3, 0.0) == []
    assert scheduler.finished("medium", 1, 1.0) == [Stop("medium")]
    assert scheduler.ended("medium", None, retry=False, while_loading=False, now_s=1.0) == [start("large")]


def test_models_without_a_plan_wait_for_nobody() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "large")
    assert scheduler.wake("free", 0.0) == [start("free")]


def test_a_crowd_beyond_the_limit_is_refused() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    for answer_id in range(MAX_OPEN_ANSWERS):
        scheduler.ask("free", answer_id, 0.0)
    (refusal,) = scheduler.ask("free", MAX_OPEN_ANSWERS, 0.0)
    assert isinstance(refusal, Refuse)
    assert "free is busy" in str(refusal.error)


def test_closing_stops_every_process_and_refuses_every_question() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "large")
    scheduler.ask("large", 1, 0.0)
    scheduler.ask("medium", 2, 0.0)
    actions = scheduler.close(1.0)
    assert [action.answer_id for action in actions if isinstance(action, Refuse)] == [1, 2]
    assert Stop("large") in actions
    assert scheduler.ended("large", None, retry=False, while_loading=False, now_s=2.0) == []
    assert scheduler.wake("medium", 3.0) == []
    assert isinstance(scheduler.ask("medium", 3, 3.0)[0], Refuse)


@pytest.mark.parametrize("name", ["large", "free"])
def test_a_death_restarts_at_once_then_after_a_pause(name: str) -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, name)
    died = WorkerDied("died")
    assert scheduler.ended(name, died, retry=True, while_loading=False, now_s=1.0) == [start(name)]
    assert scheduler.ready(name, 1.0) == []
    assert scheduler.ended(name, died, retry=True, while_loading=False, now_s=2.0) == []
    due_s = scheduler.next_due_s(2.0)
    assert due_s is not None
    assert scheduler.settle(due_s) == [start(name)]


def ended_full(scheduler: Scheduler, name: str, now_s: float = 1.0) -> list[Action]:
    return scheduler.ended(name, OutOfMemory("full"), retry=False, while_loading=True, now_s=now_s)


def states(scheduler: Scheduler) -> dict[str, ModelState]:
    return {status.name: status.state for status in scheduler.statuses(1.0)}


def test_a_load_that_finds_no_memory_is_tried_once_more_alone() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "medium")
    started(scheduler, "free")
    assert scheduler.ask("small", 1, 1.0) == [start("small")]
    assert ended_full(scheduler, "small") == [Stop("medium")]
    assert states(scheduler)["small"] is ModelState.WAITING
    assert scheduler.wake("medium", 2.0) == []
    assert scheduler.ended("medium", None, retry=False, while_loading=False, now_s=1.0) == [start("small")]
    (refusal,) = ended_full(scheduler, "small")[:1]
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, OutOfMemory)
    assert states(scheduler)["small"] is ModelState.FAILED
    assert states(scheduler)["free"] is ModelState.READY


@pytest.mark.parametrize("answering", [True, False])
def test_where_nothing_can_leave_no_memory_is_final(answering: bool) -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    if answering:
        started(scheduler, "medium")
        scheduler.ask("medium", 1, 0.0)
    assert scheduler.wake("small", 1.0) == [start("small")]
    assert ended_full(scheduler, "small") == []
    assert states(scheduler)["small"] is ModelState.FAILED


def test_a_load_that_is_asked_for_and_to_be_unloaded_answers_before_it_makes_room() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    assert scheduler.ask("medium", 1, 0.0) == [start("medium")]
    assert scheduler.ask("small", 2, 1.0) == [start("small")]
    assert scheduler.unload("small", 2.0) == []
    no_memory = OutOfMemory("no memory")
    assert scheduler.ended("medium", no_memory, retry=True, while_loading=True, now_s=3.0) == []
    assert scheduler.ready("small", 4.0) == [Send("small", 2)]
    assert scheduler.finished("small", 2, 5.0) == [Stop("small")]
    assert scheduler.ended("small", None, retry=False, while_loading=False, now_s=6.0) == [start("medium")]


def test_a_model_leaves_once_it_has_been_idle_for_its_time() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    started(scheduler, "small")
    assert scheduler.next_due_s(0.0) == KEEP_ALIVE_S
    assert scheduler.ask("small", 1, 10.0) == [Send("small", 1)]
    assert scheduler.next_due_s(10.0) is None
    assert scheduler.finished("small", 1, 100.0) == []
    assert scheduler.next_due_s(100.0) == 100.0 + KEEP_ALIVE_S
    assert scheduler.settle(100.0 + KEEP_ALIVE_S / 2) == []
    assert scheduler.settle(100.0 + KEEP_ALIVE_S) == [Stop("small")]
    assert scheduler.ended("small", None, retry=False, while_loading=False, now_s=121.0) == []
    assert states(scheduler)["small"] is ModelState.ASLEEP


def awake(scheduler: Scheduler, name: str, now_s: float = 0.0) -> None:
    """Loads a model that can sleep."""
    assert scheduler.wake(name, now_s) == [start(name)]
    assert scheduler.ready(name, now_s, sleeps=True) == []


def fell_asleep(scheduler: Scheduler, name: str, other: str, now_s: float = 0.0) -> None:
    """Loads a model and has it sleep for another, which loads."""
    awake(scheduler, name, now_s)
    assert scheduler.wake(other, now_s) == [Sleep(name)]
    assert scheduler.slept(name, now_s) == [start(other)]
    assert scheduler.ready(other, now_s, sleeps=True) == []


def process(scheduler: Scheduler, name: str) -> ProcessState:
    return next(status.process for status in scheduler.statuses(1.0) if status.name == name)


def test_a_model_that_can_sleeps_for_another_and_wakes_in_its_turn() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    fell_asleep(scheduler, "large", "medium")
    assert process(scheduler, "large") is ProcessState.SLEEPING
    assert scheduler.device_uses()[0].held_bytes == {"large": 1, "medium": 5}
    assert scheduler.ask("large", 1, 1.0) == [Sleep("medium")]
    assert scheduler.slept("medium", 1.0) == [start("large")]
    assert scheduler.ready("large", 2.0, sleeps=True) == [Send("large", 1)]


def test_a_sleeper_ends_where_even_all_asleep_leave_too_little() -> None:
    tight = [ModelNeeds(name, {"cuda:0": Claim(7, asleep_bytes=2)}) for name in "ab"]
    scheduler = Scheduler(tight, {"cuda:0": BUDGET_BYTES})
    awake(scheduler, "a")
    assert scheduler.wake("b", 1.0) == [Stop("a")]
    ended = scheduler.ended("a", None, retry=False, while_loading=False, now_s=1.0)
    assert ended == [Start("b", "cuda:0")]


def test_what_is_measured_counts_for_more_than_what_is_planned() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    awake(scheduler, "large")
    assert scheduler.wake("medium", 1.0) == [Sleep("large")]
    assert scheduler.slept("large", 1.0, Seen(4, {"large": 2})) == [Stop("large")], (
        "2 held, 4 free: 2 are somebody else's"
    )
    assert scheduler.device_uses()[0].budget_bytes == 6


def test_a_large_card_keeps_all_that_fits() -> None:
    scheduler = Scheduler(MODELS, BUDGETS | {"cuda:0": 24})
    for name in ("large", "medium", "small"):
        awake(scheduler, name)
    assert set(states(scheduler).values()) == {ModelState.READY, ModelState.ASLEEP, ModelState.UNAVAILABLE}
    assert states(scheduler)["large"] is ModelState.READY


def test_processes_stand_by_one_after_the_other_while_nothing_loads() -> None:
    scheduler = Scheduler(MODELS, BUDGETS, standby=True)
    assert scheduler.wake("medium", 0.0) == [start("medium")]
    assert scheduler.ready("medium", 0.0) == []
    assert scheduler.measured("cuda:0", None, 0.0) == [Prepare("large")]
    assert scheduler.settle(1.0) == []
    assert scheduler.standing_by("large", 2.0) == [Prepare("small")]
    assert scheduler.standing_by("small", 2.0) == [PrepareSpare("medium")], (
        "a spare one for who is loaded, last"
    )
    assert scheduler.spare_ended("medium", 2.0) == []
    assert scheduler.wake("large", 3.0) == [Stop("medium")]
    assert scheduler.ended("medium", None, retry=False, while_loading=False, now_s=3.0) == [start("large")]
    assert scheduler.ready("large", 4.0) == []
    assert scheduler.measured("cuda:0", None, 4.0) == [Prepare("medium")]


def test_ram_that_a_person_gave_back_is_not_taken_for_another_models_process() -> None:
    models = [ModelNeeds(name, {"cuda:0": Claim(6)}, stands_by=True) for name in "abcd"]
    scheduler = Scheduler(models, {"cuda:0": 8}, standby=True)
    assert scheduler.settle(0.0) == [Prepare("a")]
    assert scheduler.standing_by("a", 1.0) == [Prepare("b")]
    assert scheduler.standing_by("b", 1.0) == [Prepare("c")]
    assert scheduler.standing_by("c", 1.0) == []
    assert scheduler.unload("a", 2.0) == [Stop("a")]
    assert scheduler.ended("a", None, retry=False, while_loading=False, now_s=3.0) == []
    assert scheduler.ask("b", 1, 4.0) == [start("b")]
    assert scheduler.ready("b", 5.0) == [Send("b", 1)]
    assert scheduler.measured("cuda:0", None, 5.0) == [Prepare("d")]


def test_who_is_unloaded_while_it_loads_for_a_question_has_no_process_afterwards() -> None:
    models = [ModelNeeds(name, {"cuda:0": Claim(4)}, stands_by=True) for name in "ab"]
    scheduler = Scheduler(models, {"cuda:0": 8}, standby=True)
    assert scheduler.ask("a", 1, 0.0) == [start("a")]
    assert scheduler.unload("a", 1.0) == []
    assert scheduler.ready("a", 2.0) == [Send("a", 1)]
    assert scheduler.measured("cuda:0", None, 2.0) == []
    assert scheduler.finished("a", 1, 3.0) == [Stop("a")]
    assert scheduler.ended("a", None, retry=False, while_loading=False, now_s=4.0) == []
    assert scheduler.wake("b", 5.0) == [start("b")]
    assert scheduler.ready("b", 6.0) == []
    assert scheduler.settle(6.0) == [PrepareSpare("b")], "and none for a"


def with_spare(name: str = "large") -> Scheduler:
    """A loaded model with a spare process that stands by; the others have processes too."""
    scheduler = Scheduler([needs for needs in MODELS if needs.name == name], BUDGETS, standby=True)
    assert scheduler.settle(0.0) == [Prepare(name)]
    assert scheduler.standing_by(name, 0.0) == []
    assert scheduler.wake(name, 0.0) == [start(name)]
    assert scheduler.ready(name, 0.0, sleeps=True) == []
    assert scheduler.settle(0.0) == [PrepareSpare(name)]
    assert scheduler.spare_stands_by(name, 1.0) == []
    return scheduler


def test_the_spare_of_a_model_that_died_loads_it_again() -> None:
    scheduler = with_spare()
    assert scheduler.ask("large", 1, 1.0) == [Send("large", 1)]
    died = WorkerDied("died")
    assert scheduler.ended("large", died, retry=True, while_loading=False, now_s=2.0) == [
        Refuse(1, died),
        UseSpare("large"),
        start("large"),
    ]
    assert scheduler.ready("large", 3.0) == []
    assert scheduler.settle(3.0) == [PrepareSpare("large")]


def test_a_spare_that_is_still_starting_takes_over_too() -> None:
    scheduler = with_spare()
    assert scheduler.spare_ended("large", 1.0) == [], "none is tried again at once"
    assert scheduler.wake("large", 1.0) == []
    died = WorkerDied("died")
    assert scheduler.ended("large", died, retry=True, while_loading=False, now_s=2.0) == [start("large")]
    assert scheduler.ready("large", 3.0) == []
    assert scheduler.settle(3.0) == [PrepareSpare("large")]
    assert scheduler.ended("large", died, retry=True, while_loading=False, now_s=4.0) == [UseSpare("large")]
    assert process(scheduler, "large") is ProcessState.STARTING
    due_s = scheduler.next_due_s(4.0)
    assert due_s is not None
    assert scheduler.settle(due_s) == [start("large")]


def test_a_spare_goes_where_a_person_or_its_time_gives_the_memory_back() -> None:
    assert with_spare().unload("large", 2.0) == [StopSpare("large"), Stop("large")]
    assert with_spare("small").settle(KEEP_ALIVE_S) == [StopSpare("small"), Stop("small")]
    assert with_spare().close(2.0) == [StopSpare("large"), Stop("large")]


def test_who_ends_for_another_has_its_spare_stand_by() -> None:
    scheduler = Scheduler(MODELS, BUDGETS, standby=True)
    assert scheduler.wake("medium", 0.0) == [start("medium")]
    assert scheduler.ready("medium", 0.0) == []
    assert scheduler.settle(0.0) == [Prepare("large")]
    assert scheduler.standing_by("large", 0.0) == [Prepare("small")]
    assert scheduler.standing_by("small", 0.0) == [PrepareSpare("medium")]
    assert scheduler.spare_stands_by("medium", 0.0) == []
    assert scheduler.wake("large", 1.0) == [Stop("medium")]
    ended = scheduler.ended("medium", None, retry=False, while_loading=False, now_s=1.0)
    assert ended == [UseSpare("medium"), start("large")]
    assert process(scheduler, "medium") is ProcessState.STANDING_BY


def test_none_stands_by_again_for_a_model_whose_process_died_at_it() -> None:
    scheduler = Scheduler(MODELS, BUDGETS, standby=True)
    assert scheduler.settle(0.0) == [Prepare("large")]
    died = WorkerDied("died")
    assert scheduler.ended("large", died, retry=True, while_loading=False, now_s=1.0) == [Prepare("medium")]
    assert states(scheduler)["large"] is ModelState.ASLEEP
    assert scheduler.standing_by("medium", 1.0) == [Prepare("small")]
    assert scheduler.standing_by("small", 1.0) == []
    assert scheduler.wake("large", 2.0) == [start("large")]


def test_a_sleeper_that_dies_is_no_failure() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    fell_asleep(scheduler, "large", "medium")
    assert scheduler.ended("large", WorkerDied("died"), retry=True, while_loading=False, now_s=1.0) == []
    assert states(scheduler)["large"] is ModelState.ASLEEP
    assert process(scheduler, "large") is ProcessState.NONE


def test_the_unload_button_ends_a_sleeper() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    fell_asleep(scheduler, "large", "medium")
    assert scheduler.unload("large", 1.0) == [Stop("large")]
    assert scheduler.ask("large", 1, 2.0) == []
    assert scheduler.ended("large", None, retry=False, while_loading=False, now_s=3.0) == [Sleep("medium")]


def test_the_unload_button_ends_one_that_falls_asleep() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    awake(scheduler, "large")
    assert scheduler.wake("medium", 1.0) == [Sleep("large")]
    assert scheduler.unload("large", 1.0) == []
    assert Stop("large") in scheduler.slept("large", 2.0)


def test_no_more_stand_by_than_a_machine_has_room_for() -> None:
    scheduler = Scheduler(
        [ModelNeeds(str(n), {"cuda:0": Claim(1)}, stands_by=True) for n in range(9)],
        {"cuda:0": BUDGET_BYTES},
        standby=True,
    )
    prepared = 0
    actions = scheduler.settle(0.0)
    while actions:
        (prepare,) = actions
        assert isinstance(prepare, Prepare)
        prepared += 1
        actions = scheduler.standing_by(prepare.name, 0.0)
    assert prepared == MAX_STANDING_BY


def test_a_sleeper_is_gone_after_its_time_too() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    fell_asleep(scheduler, "small", "large")
    assert scheduler.next_due_s(0.0) == KEEP_ALIVE_S
    assert scheduler.settle(KEEP_ALIVE_S) == [Stop("small")]


def test_a_load_without_memory_is_tried_again_once_sleepers_have_ended_too() -> None:
    scheduler = Scheduler(MODELS, BUDGETS)
    fell_asleep(scheduler, "small", "large")
    assert scheduler.wake("medium", 1.0) == [Sleep("large")]
    assert scheduler.slept("large", 1.0) == [start("medium")]
    assert ended_full(scheduler, "medium") == [Stop("large"), Stop("small")]
    assert scheduler.ended("large", None, retry=False, while_loading=False, now_s=2.0) == []
    assert scheduler.ended("small", None, retry=False, while_loading=False, now_s=2.0) == [start("medium")]


def test_closing_ends_those_who_sleep_or_stand_by() -> None:
    scheduler = Scheduler(MODELS, BUDGETS, standby=True)
    fell_asleep_models = Scheduler(MODELS, BUDGETS)
    fell_asleep(fell_asleep_models, "large", "medium")
    assert fell_asleep_models.close(1.0) == [Stop("large"), Stop("medium")]
    assert scheduler.settle(0.0) == [Prepare("large")]
    assert scheduler.close(1.0) == [Stop("large")]


def several(*names: str, budget: int = 8, looks: bool = False, bytes_: int = 6) -> Scheduler:
    """Models of one size, of which each of two cards holds one awake."""
    claims = {card: Claim(bytes_, asleep_bytes=1) for card in ("GPU-a", "GPU-b")}
    budgets = dict.fromkeys(claims, budget)
    return Scheduler([ModelNeeds(name, claims) for name in names], budgets, looks=looks)


def on(scheduler: Scheduler) -> dict[str, str]:
    return {status.name: status.device for status in scheduler.statuses(0.0)}


def loaded(scheduler: Scheduler, name: str, device: str, now_s: float = 0.0) -> None:
    assert scheduler.wake(name, now_s) == [Start(name, device)]
    assert scheduler.ready(name, now_s, sleeps=True) == []


def test_two_cards_hold_two_awake_models() -> None:
    scheduler = several("one", "two")
    loaded(scheduler, "one", "GPU-a")
    loaded(scheduler, "two", "GPU-b")
    assert on(scheduler) == {"one": "GPU-a", "two": "GPU-b"}
    assert [(use.device, dict(use.held_bytes)) for use in scheduler.device_uses()] == [
        ("GPU-a", {"one": 6}),
        ("GPU-b", {"two": 6}),
    ]


def test_the_card_of_the_least_recently_used_makes_room() -> None:
    scheduler = several("one", "two", "three")
    loaded(scheduler, "one", "GPU-a", 10.0)
    loaded(scheduler, "two", "GPU-b", 0.0)
    assert scheduler.wake("three", 100.0) == [Sleep("two")]


def test_whoever_is_being_asked_is_left_in_peace_where_another_card_has_an_idle_one() -> None:
    scheduler = several("one", "two", "three")
    loaded(scheduler, "one", "GPU-a", 0.0)
    loaded(scheduler, "two", "GPU-b", 10.0)
    assert scheduler.ask("one", 1, 10.0) == [Send("one", 1)]
    assert scheduler.ask("three", 2, 1000.0) == [Sleep("two")]
    assert scheduler.ask("one", 3, 1000.0) == [Send("one", 3)]
    assert scheduler.slept("two", 1001.0) == [Start("three", "GPU-b")]


def one_asleep_for_three() -> Scheduler:
    """Two cards: the first had one, which sleeps, and has three; the second has two."""
    scheduler = several("one", "two", "three", budget=9)
    loaded(scheduler, "one", "GPU-a", 0.0)
    loaded(scheduler, "two", "GPU-b", 500.0)
    assert scheduler.wake("three", 1000.0) == [Sleep("one")]
    assert scheduler.slept("one", 1000.0) == [Start("three", "GPU-a")]
    assert scheduler.ready("three", 1000.0, sleeps=True) == []
    return scheduler


def test_a_sleeper_wakes_on_its_own_card() -> None:
    scheduler = one_asleep_for_three()
    assert scheduler.unload("two", 1000.0) == [Stop("two")]
    assert scheduler.ended("two", None, retry=False, while_loading=False, now_s=1000.0) == []
    assert scheduler.wake("one", 2000.0) == [Sleep("three")], "2 s there, and 10 s on the free card"


def test_models_that_people_go_back_and_forth_between_end_up_on_two_cards() -> None:
    scheduler = one_asleep_for_three()
    assert scheduler.wake("one", 1010.0) == [Stop("one"), Sleep("two")], "three is wanted again soon"
    ended = scheduler.ended("one", None, retry=False, while_loading=False, now_s=1010.0)
    assert ended == []
    assert scheduler.slept("two", 1011.0) == [Start("one", "GPU-b")]


def test_several_cards_are_looked_at_before_one_is_chosen() -> None:
    scheduler = several("one", looks=True)
    assert scheduler.ask("one", 1, 0.0) == [Look("GPU-a"), Look("GPU-b")]
    assert scheduler.measured("GPU-b", Seen(8, {}), 0.1) == []
    assert scheduler.measured("GPU-a", Seen(2, {}), 0.1) == [Start("one", "GPU-b")], "others have taken a"


def test_a_card_that_cannot_be_looked_at_holds_nobody_up() -> None:
    scheduler = several("one", looks=True)
    assert scheduler.ask("one", 1, 0.0) == [Look("GPU-a"), Look("GPU-b")]
    assert scheduler.measured("GPU-a", None, 5.0) == []
    assert scheduler.measured("GPU-b", None, 10.0) == [Start("one", "GPU-a")]


def test_a_card_that_comes_free_is_noticed_while_somebody_waits() -> None:
    scheduler = several("one", "two", looks=True)
    scheduler.ask("one", 1, 0.0)
    scheduler.measured("GPU-b", Seen(1, {}), 0.0)
    assert scheduler.measured("GPU-a", Seen(8, {}), 0.0) == [Start("one", "GPU-a")]
    assert scheduler.ready("one", 1.0) == [Send("one", 1)]
    assert scheduler.ask("two", 2, 1.0) == [Look("GPU-a"), Look("GPU-b")]
    assert scheduler.measured("GPU-a", None, 1.0) == []
    assert scheduler.measured("GPU-b", Seen(1, {}), 1.0) == []
    due_s = scheduler.next_due_s(6.0)
    assert due_s is not None
    assert scheduler.settle(due_s) == [Look("GPU-a"), Look("GPU-b")]
    assert scheduler.measured("GPU-b", Seen(8, {}), due_s) == [Start("two", "GPU-b")]


def test_where_others_have_taken_every_card_a_model_is_tried_rather_than_kept_waiting() -> None:
    scheduler = several("one", looks=True)
    scheduler.ask("one", 1, 0.0)
    scheduler.measured("GPU-a", Seen(2, {}), 0.0)
    assert scheduler.measured("GPU-b", Seen(3, {}), 0.0) == [Start("one", "GPU-b")], "the one with most"


def test_a_load_that_finds_no_memory_goes_to_another_card() -> None:
    scheduler = several("one", "two")
    assert scheduler.ask("one", 1, 0.0) == [Start("one", "GPU-a")]
    assert ended_full(scheduler, "one") == [Start("one", "GPU-b")]
    assert isinstance(ended_full(scheduler, "one")[0], Refuse), "twice is enough"


def test_opening_a_page_sends_nobody_away_once_cards_are_looked_at() -> None:
    scheduler = several("one", "two", "three", looks=True)
    for name, device in (("one", "GPU-a"), ("two", "GPU-b")):
        scheduler.wake(name, 0.0)
        scheduler.measured("GPU-a", None, 0.0)
        assert scheduler.measured("GPU-b", None, 0.0) in ([Start(name, device)], [])
        scheduler.ready(name, 0.0, sleeps=True)
    scheduler.unload("two", 100.0)
    scheduler.ended("two", None, retry=False, while_loading=False, now_s=100.0)
    looks = scheduler.wake("three", 200.0, page="page", only_if_free=True)
    assert looks == [Look("GPU-a"), Look("GPU-b")]
    assert scheduler.measured("GPU-a", None, 200.0) == []
    assert scheduler.measured("GPU-b", Seen(1, {}), 200.0) == [], "somebody has come"
    assert states(scheduler)["three"] is ModelState.ASLEEP
    assert states(scheduler)["one"] is ModelState.READY


def test_one_that_failed_and_is_unloaded_may_be_asked_again() -> None:
    """The process that stood by for its next try ends; it kept the error, and refused every question."""
    scheduler = Scheduler(MODELS[:1], BUDGETS, standby=True)
    started(scheduler, "large")
    assert scheduler.settle(0.0) == [PrepareSpare("large")]
    failed = scheduler.ended("large", EngineError("lost"), retry=False, while_loading=False, now_s=1.0)
    assert failed == [UseSpare("large")]
    assert scheduler.unload("large", 2.0) == [Stop("large")]
    scheduler.ended("large", None, retry=False, while_loading=False, now_s=3.0)
    assert scheduler.ask("large", 1, 4.0) == [start("large")]
    assert scheduler.ready("large", 5.0) == [Send("large", 1)]
    assert Send("large", 2) in scheduler.ask("large", 2, 6.0)
