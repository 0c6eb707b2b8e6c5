"""What the scheduler keeps of one model, and what can be told from it alone. Decides nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.errors import LauncherError
from launcher.workers.residency import Leaving, Resident
from launcher.workers.restarts import MAX_RESTARTS, Death
from launcher.workers.states import ModelState, ProcessState, Share


@dataclass(frozen=True, slots=True)
class Claim:
    """What a model takes of one device, by its plan for that.

    Attributes:
        loading_bytes: the most that it ever holds there; None where nothing is planned.
        ready_bytes: what it holds at work; ``loading_bytes`` if None.
        asleep_bytes: what it holds asleep, until that is measured.
        weight_bytes: of what it holds at work, its weights; 0 where the plan has no parts.
        cache_bytes: of what it holds at work, its KV cache.
    """

    loading_bytes: int | None = None
    ready_bytes: int | None = None
    asleep_bytes: int = 0
    weight_bytes: int = 0
    cache_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ModelNeeds:
    """What the scheduler knows of a model beforehand.

    Attributes:
        claims: the devices that it may be loaded on, any one of them -> what it takes there; all are planned
            or none is. Models with a planned size share a device's budget.
        stands_by: a process may stand by for it; it then takes RAM though nobody wants the model.
        keep_alive_s: how long it stays loaded while nobody uses it; None is until another model needs its
            place.
        unavailable: why it cannot run here.
    """

    name: str
    claims: Mapping[str, Claim] = field(default_factory=dict)
    stands_by: bool = False
    keep_alive_s: float | None = None
    unavailable: LauncherError | None = None

    @property
    def planned(self) -> bool:
        """Whether it shares budgets with others."""
        return any(claim.loading_bytes is not None for claim in self.claims.values())


NOBODY = ""
"""Whose wish is no page's: the terminal's, or that of a restart."""

NEARLY_LOADED = 0.9
"""A load that has got this far is finished, whoever waits. Engines report it for their first answer."""


@dataclass(slots=True)
class ModelRecord:
    """One model's state and all who wait for it.

    Attributes:
        device: the one that its process is loaded on, sleeps on, or is about to be loaded on; "" for none.
        heading: while it waits, the device on which others make room for it.
        wishes: page -> when it asked to have the model loaded, without a question; none once it has loaded.
        modest: of those pages, the ones that want it only where nobody has to leave for it.
        waiting: answer id -> when it was asked.
        unloading: a person wants its memory back; questions that waited by then are answered first.
        yielding: how it leaves once its answers are finished; it begins no more of them.
        leaving: how it leaves, while STOPPING.
        cut_off: while STOPPING, it had been loading, and may hold as much as that takes.
        sleeps: its engine can give the device back and keep the process; known once it has loaded.
        measured_bytes: what its process was seen to hold since it entered this state.
        short_of: the device on which memory ran out while it loaded: it is tried once more, on another one
            that has room, or there with nothing idle beside it.
        waking: while LOADING, it had been asleep, so that is a matter of a moment.
        spare: what it has of a second process, which takes the place of one that ends: none, or one that
            starts or stands by.
        no_spare: its spare process died, so there is no other until it has loaded once more.
        no_standby: no process stands by for it until it is wanted: a person or its ``keep_alive_s`` has given
            its memory back, or its process died while it stood by or slept.
    """

    needs: ModelNeeds
    state: ModelState = ModelState.ASLEEP
    process: ProcessState = ProcessState.NONE
    entered_s: float = 0.0
    stage: str = ""
    fraction: float = 0.0
    error: LauncherError | None = None
    device: str = ""
    heading: str = ""
    wishes: dict[str, float] = field(default_factory=dict)
    modest: set[str] = field(default_factory=set)
    waiting: dict[int, float] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    unloading: bool = False
    yielding: Leaving | None = None
    leaving: Leaving | None = None
    cut_off: bool = False
    sleeps: bool = False
    measured_bytes: int | None = None
    short_of: str = ""
    waking: bool = False
    no_standby: bool = False
    spare: ProcessState = ProcessState.NONE
    no_spare: bool = False
    used_s: float = 0.0
    restart_at_s: float = 0.0
    deaths: deque[Death] = field(default_factory=lambda: deque(maxlen=MAX_RESTARTS + 1))

    @property
    def wanted_since_s(self) -> float | None:
        """When the oldest question that waits was asked; without one, when the oldest wish was made."""
        return min(self.waiting.values() or self.wishes.values(), default=None)

    def waited_s(self, now_s: float) -> float:
        """For how long it has been wanted."""
        return 0.0 if self.wanted_since_s is None else now_s - self.wanted_since_s

    @property
    def has_far_to_go(self) -> bool:
        """It is being loaded, nobody has asked it anything yet, and most of that is left to do."""
        return (
            self.state is ModelState.LOADING
            and not self.waiting
            and not self.waking
            and self.fraction < NEARLY_LOADED
        )

    @property
    def idle(self) -> bool:
        """It is loaded, and nobody waits for an answer of it."""
        return self.state is ModelState.READY and not self.running and not self.waiting

    @property
    def asleep(self) -> bool:
        """Its process has given the device back, but for a little, and can be woken."""
        return self.process is ProcessState.SLEEPING and self.state is not ModelState.STOPPING

    @property
    def leaves_at_s(self) -> float | None:
        """When it has been loaded or asleep, and nobody's, for as long as it may."""
        unused = self.idle or (self.asleep and self.state is ModelState.ASLEEP)
        return (
            self.used_s + self.needs.keep_alive_s if unused and self.needs.keep_alive_s is not None else None
        )

    @property
    def held_bytes(self) -> int:
        """What its process holds of the device: as measured, or as planned."""
        if not self.needs.planned or self.process not in (ProcessState.ENGAGED, ProcessState.SLEEPING):
            return 0
        return self._planned_bytes if self.measured_bytes is None else self.measured_bytes

    @property
    def share(self) -> Share:
        """The same, with what is known of it."""
        at_work = self.state in (ModelState.READY, ModelState.STOPPING)
        return Share(
            self.held_bytes,
            is_measured=self.measured_bytes is not None,
            is_asleep=self.process is ProcessState.SLEEPING,
            weight_bytes=self.claim.weight_bytes if at_work else 0,
            cache_bytes=self.claim.cache_bytes if at_work else 0,
        )

    @property
    def claim(self) -> Claim:
        """What it takes of the device that it is on."""
        return self.needs.claims.get(self.device, Claim())

    @property
    def is_modest(self) -> bool:
        """Nobody has to leave for it: no question waits, and no page wishes for more."""
        return not self.waiting and self.wishes.keys() <= self.modest

    @property
    def _planned_bytes(self) -> int:
        claim = self.claim
        if self.process is ProcessState.SLEEPING:
            return claim.asleep_bytes
        if self.state is ModelState.LOADING or self.cut_off or claim.ready_bytes is None:
            return claim.loading_bytes or 0
        return claim.ready_bytes

    def resident(self, *, cut_short: bool = False) -> Resident:
        """Its place on the device, for deciding who must leave: what it may come to hold, not only what it
        holds now. ``cut_short`` says that its load may be ended for who is to come."""
        return Resident(
            name=self.needs.name,
            held_bytes=self.held_bytes
            if self.process is ProcessState.SLEEPING
            else max(self.held_bytes, self._planned_bytes),
            idle=self.idle or self.asleep or cut_short,
            used_s=self.used_s,
            asleep_bytes=self.claim.asleep_bytes if self.sleeps and not cut_short else None,
            asleep=self.process is ProcessState.SLEEPING,
            leaving=Leaving.END if self.unloading else self.leaving,
        )

    def enter(self, state: ModelState, now_s: float) -> None:
        """A state of its life begins."""
        self.cut_off = self.state is ModelState.LOADING and state is ModelState.STOPPING
        self.state, self.entered_s, self.stage, self.fraction = state, now_s, "", 0.0

    def begins_to_load(self, device: str, now_s: float) -> None:
        """It takes its place on the device."""
        self.waking = self.process is ProcessState.SLEEPING
        self.enter(ModelState.LOADING, now_s)
        self.has_process(ProcessState.ENGAGED)
        self.device, self.heading = device, ""

    def has_process(self, process: ProcessState) -> None:
        """A state of its process begins; what it holds has to be measured anew."""
        self.process, self.measured_bytes, self.leaving = process, None, None
        if process not in (ProcessState.ENGAGED, ProcessState.SLEEPING):
            self.device = ""
