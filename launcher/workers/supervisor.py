"""One worker process from spawn to its end: passes messages, notices death, hang and silence, and stops it
within bounds.

A supervisor lives as long as its process and reports everything to one owner, `Ended` last and always.
Whether another process follows is the owner's business; no engine is imported here.

    STANDING_BY ──load──> LOADING ──Ready──> LOADED ──sleep──> FALLING_ASLEEP ──Slept──> STANDING_BY, now with
    a model to wake
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from launcher.engines.table import find
from launcher.errors import LauncherError
from launcher.workers.failures import Failures
from launcher.workers.leftovers import Leftovers
from launcher.workers.limits import TICK_S, Limits
from launcher.workers.logs import BoundedLog
from launcher.workers.message_pipe import UnreadableMessage
from launcher.workers.outbox import Outbox
from launcher.workers.process import ChildProcess
from launcher.workers.protocol import (
    Ask,
    Broken,
    Failed,
    FromWorker,
    Load,
    LoadFailed,
    Prepare,
    Progressed,
    Ready,
    Said,
    Shutdown,
    Sleep,
    Slept,
    StandingBy,
    ToWorker,
)
from launcher.workers.silences import Silences
from launcher.workers.wire import from_worker, to_bytes

if TYPE_CHECKING:
    from launcher.engines.base import EngineSpec


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone.

    Attributes:
        error: why; None when it was asked to stop.
        retry: another process may do better.
        while_loading: it was loading the model.
    """

    error: LauncherError | None
    retry: bool = False
    while_loading: bool = False


Report = Callable[[FromWorker | Ended], None]
"""Called from the supervisor's thread, in order; must not block."""


@dataclass(frozen=True, slots=True)
class _Over:
    """Why watching ended; ``error`` None where the exit code tells. The process gets ``grace_s`` to go by
    itself."""

    grace_s: float
    error: LauncherError | None = None
    retry: bool = True


class _Phase(Enum):
    PREPARING = "preparing"
    STANDING_BY = "standing by"
    LOADING = "loading"
    LOADED = "loaded"
    FALLING_ASLEEP = "falling asleep"


class Supervisor:
    """Runs one worker. Its methods may be called from any thread and return at once, except `join`."""

    def __init__(
        self, spec: EngineSpec, limits: Limits, log: BoundedLog, leftovers: Leftovers, report: Report
    ) -> None:
        self._spec = spec
        self._leftovers = leftovers
        self._limits = limits
        self._log = log
        self._report = report
        self._failures = Failures(spec.preset.name, log)
        self._outbox = Outbox()
        self._stopping = Event()
        self._phase = _Phase.PREPARING
        self._wanted = False  # asked to load, be it still preparing
        self._lock = Lock()  # of these two: the owner asks in its thread, the process answers in ours
        self._has_slept = False
        self._stage = ""
        self._running: set[int] = set()
        self._thread = Thread(target=self._run, name=f"supervisor of {spec.preset.name}", daemon=True)
        self.pid: int | None = None

    def start(self) -> None:
        """Spawns the process, which then stands by."""
        self.send(Prepare(find(self._spec.engine).runs, self._spec))
        self._thread.start()

    def load(self, spec: EngineSpec) -> None:
        """Has the process load the model by this spec, or wake it, as soon as it stands by."""
        with self._lock:
            self._wanted = True
            if self._phase is _Phase.STANDING_BY:
                self._phase = _Phase.LOADING
        self.send(Load(find(spec.engine).runs, spec))

    def sleep(self) -> None:
        """Has the process give the device back; it ends if that takes too long."""
        with self._lock:
            self._wanted, self._phase = False, _Phase.FALLING_ASLEEP
        self.send(Sleep())

    def send(self, message: ToWorker) -> None:
        """Passes a message on. What is sent to a process that is ending is lost: its end is reported for
        all."""
        if isinstance(message, Ask):
            self._running.add(message.answer_id)
        self._outbox.put(to_bytes(message))

    def stop(self) -> None:
        """Begins the end: ask (once it is loaded), wait, terminate, wait, kill, wait; each wait bounded."""
        self._stopping.set()
        self.send(Shutdown())

    def join(self) -> None:
        """Waits until the process is gone and `Ended` was reported, or for as long as that may ever take."""
        self._thread.join(self._limits.end_s)

    def _run(self) -> None:
        try:
            child = ChildProcess(self._spec.preset.name, self._limits, self._log, self._leftovers)
        except OSError as error:
            self._report(Ended(self._failures.not_started(error), while_loading=True))
            return
        self.pid = child.pid
        writer = Thread(
            target=self._outbox.run,
            args=(child.pipe,),
            name=f"writer to {self._spec.preset.name}",
            daemon=True,
        )
        writer.start()
        try:
            over = self._watch(child)
        except Exception as error:  # noqa: BLE001 - the end of a process: told to its owner
            over = _Over(0.0, self._failures.defect(error))
        exit_code = child.end(over.grace_s)
        self._outbox.close()
        writer.join(self._limits.terminate_s)
        if not writer.is_alive():
            child.pipe.close()
        self._report(self._ended(over, exit_code))

    def _watch(self, child: ChildProcess) -> _Over:
        silences = Silences(time.monotonic())
        while True:
            listens = self._phase in (_Phase.LOADED, _Phase.STANDING_BY)
            if self._stopping.is_set() and (not listens or silences.stopping_s > self._limits.close_s):
                return _Over(0.0)
            try:
                message = self._heard(child)
            except (EOFError, OSError):
                return _Over(self._limits.terminate_s)
            except UnreadableMessage as reason:
                return _Over(0.0, self._failures.unreadable(reason))
            if message is not None:
                silences.heard(message)
                self._take(message)
                if isinstance(message, LoadFailed):
                    # Who could load once, and then not wake, may load again in a new process.
                    return _Over(self._limits.close_s, message.error, retry=self._has_slept)
                if isinstance(message, Broken):
                    return _Over(self._limits.terminate_s, message.error)
            silences.step(time.monotonic(), expecting=self._expecting(), stopping=self._stopping.is_set())
            if error := self._too_silent(silences):
                return _Over(0.0, error)

    def _heard(self, child: ChildProcess) -> FromWorker | None:
        """What the process says within a tick, if it speaks of what it was asked."""
        data = child.pipe.receive(TICK_S)
        if data is None:
            return None
        message = from_worker(data)
        if isinstance(message, Said | Failed) and message.answer_id not in self._running:
            raise UnreadableMessage(f"it answers question {message.answer_id}, which it was not asked")
        return message

    def _take(self, message: FromWorker) -> None:
        match message:
            case StandingBy() | Slept():
                self._has_slept = isinstance(message, Slept)
                with self._lock:
                    self._phase = _Phase.LOADING if self._wanted else _Phase.STANDING_BY
            case Ready():
                self._phase = _Phase.LOADED
            case Progressed(stage):
                self._stage = stage
            case Said(answer_id) | Failed(answer_id):
                self._running.discard(answer_id)
        self._report(message)

    def _expecting(self) -> bool:
        """Whether there must be news: an answer's words, or progress in what is neither loaded nor at
        rest."""
        return bool(self._running) or self._phase not in (_Phase.LOADED, _Phase.STANDING_BY)

    def _too_silent(self, silences: Silences) -> LauncherError | None:
        limits = self._limits
        match self._phase:
            case _Phase.PREPARING | _Phase.LOADING:
                too_long = silences.no_news_s > limits.load_silence_s
                return self._failures.silent_loading(limits.load_silence_s, self._stage) if too_long else None
            case _Phase.FALLING_ASLEEP:
                return self._failures.hung(limits.sleep_s) if silences.no_news_s > limits.sleep_s else None
        if silences.no_beat_s > limits.hang_s:
            return self._failures.hung(limits.hang_s)
        if silences.no_news_s > limits.answer_silence_s:
            return self._failures.silent(limits.answer_silence_s)
        return None

    def _ended(self, over: _Over, exit_code: int | None) -> Ended:
        while_loading = self._wanted and self._phase is not _Phase.LOADED
        if self._stopping.is_set() or self._phase is _Phase.FALLING_ASLEEP:
            return Ended(None, while_loading=while_loading)
        if over.error is not None:
            return Ended(over.error, over.retry, while_loading)
        if while_loading:
            return Ended(self._failures.died_loading(exit_code), retry=True, while_loading=True)
        return Ended(self._failures.died(exit_code), retry=True)
