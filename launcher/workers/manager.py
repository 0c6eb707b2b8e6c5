"""All models of a launcher behind one door: ask, wake, unload, statuses, close. For the page and the terminal
alike.

The manager carries out what the scheduler decides: it owns the lock, the clock, the answers and the
supervisors. Every method may be called from any thread; none blocks but `ensure_ready`, `wait_for_change` and
`close`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock, RLock, Thread
from types import TracebackType

from launcher.messages import ChatRequest
from launcher.workers.actions import Action, Look, Refuse, Send, Withdraw
from launcher.workers.alarm import Alarm
from launcher.workers.answers import Answer
from launcher.workers.changes import Changes
from launcher.workers.gauge import Gauge, Measure
from launcher.workers.gpu_memory import spare_ram
from launcher.workers.limits import SPARE_S, Limits
from launcher.workers.logs import default_log_folder, log_path, remove_old_logs
from launcher.workers.model_record import NOBODY
from launcher.workers.observers import SILENT, Observer
from launcher.workers.offered import Offered, RunnableModel, needs
from launcher.workers.offered import budgets as budgets_of
from launcher.workers.open_answers import OpenAnswers
from launcher.workers.processes import Process, Processes
from launcher.workers.protocol import (
    Ask,
    Cancel,
    Failed,
    FromWorker,
    Progressed,
    Ready,
    Said,
    Slept,
    StandingBy,
    Words,
)
from launcher.workers.ready_waits import ReadyWaits
from launcher.workers.scheduler import Scheduler
from launcher.workers.states import DeviceUse, ModelState, ModelStatus, Seen
from launcher.workers.supervisor import Ended


class Manager:
    """Runs the models, each in its own process, and stops them all when closed.

    Args:
        models: what the launcher offers; names are unique.
        gpu_budget_bytes: for each device, what models of a planned size may hold together; where a device is
            not named, what may be taken of RAM on the CPU, and elsewhere the largest GPU budget among its
            presets.
        measure: reads what a device holds, given its name and each model's process id; None where that cannot
            be told. It is asked whenever a model has come, slept or gone, and before one is placed on one of
            several devices, or in RAM.
        standby: whether processes stand by for models that share a device.
        limits: the bounds of every worker's supervision; by default those that suit its device.
        log_folder: where models' logs go.
        total_bytes: what devices have, where that is known before they are measured: to be shown.
        gpu_numbers: the devices that are GPUs -> their numbers as nvidia-smi counts, to be shown.
        observer: is told what happens to models.
    """

    def __init__(
        self,
        models: Sequence[RunnableModel],
        *,
        gpu_budget_bytes: Mapping[str, int] | None = None,
        measure: Measure | None = None,
        standby: bool = False,
        limits: Limits | None = None,
        log_folder: Path | None = None,
        total_bytes: Mapping[str, int] | None = None,
        gpu_numbers: Mapping[str, str] | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._observer = observer
        self._offered = Offered(models)
        self._gpu_numbers = dict(gpu_numbers or {})
        self._log_folder = log_folder or default_log_folder()
        self._gauge = None if measure is None else Gauge(measure)
        self._measuring = Lock()
        remove_old_logs(self._log_folder)
        budgets = {**budgets_of(models), **(gpu_budget_bytes or {})}
        looks = self._gauge is not None
        self._scheduler = Scheduler(
            map(needs, models), budgets, standby=standby, looks=looks, totals=total_bytes
        )
        self._scheduler.has_ram(spare_ram())
        specs = {model.name: model.specs for model in models}
        self._processes = Processes(specs, limits, self._log_folder, self._heard)
        self._open = OpenAnswers()
        self._ready_waits = ReadyWaits()
        self._ids = itertools.count(1)
        self._lock = RLock()
        self._changes = Changes(self._lock)
        self._alarm = Alarm(self._lock)
        self._closed = False
        self._timer = Thread(target=self._keep_time, name="launcher's scheduler", daemon=True)
        self._timer.start()

    def statuses(self) -> tuple[ModelStatus, ...]:
        """Every model's state now, in the order given."""
        with self._lock:
            return self._scheduler.statuses(time.monotonic())

    def wait_for_change(self, version: int, timeout_s: float) -> int:
        """Blocks until something changed since ``version`` (0 at first) or time is up; returns the version to
        wait for next."""
        return self._changes.wait(version, timeout_s)

    async def changed(self, version: int, timeout_s: float) -> int:
        """`wait_for_change` for event loops: however many wait, they hold no thread."""
        return await self._changes.wait_on_loop(version, timeout_s)

    def device_uses(self) -> tuple[DeviceUse, ...]:
        """What is held of every device on which models have a memory plan."""
        with self._lock:
            uses = self._scheduler.device_uses()
        return tuple(replace(use, number=self._gpu_numbers.get(use.device, "")) for use in uses)

    def log_path(self, name: str) -> Path:
        """Where the model's process prints to."""
        return log_path(self._log_folder, name)

    def wake(self, name: str, *, page: str = NOBODY, only_if_free: bool = False) -> None:
        """Begins to load the model and returns; one that has FAILED is tried again.

        Args:
            name: the model's.
            page: whose wish it is. It takes the place of that page's earlier one, and `leave` withdraws it;
                the wish of nobody in particular stands until the model is loaded.
            only_if_free: do nothing where another model would have to leave for it, or where it has FAILED.

        Raises:
            RequestError: no model of that name is offered.
        """
        self._offered.check(name)
        with self._lock:
            self._do(self._scheduler.wake(name, time.monotonic(), page=page, only_if_free=only_if_free))

    def leave(self, page: str) -> None:
        """The page is closed: nothing is loaded for it any more, but for questions."""
        with self._lock:
            self._do(self._scheduler.leave(page, time.monotonic()))

    def ensure_ready(self, name: str) -> None:
        """Wakes the model and blocks until it is loaded.

        Raises:
            LauncherError: why it cannot be loaded.
        """
        self._offered.check(name)
        with self._lock:
            ready = self._ready_waits.add(name)
            self._do(self._scheduler.wake(name, time.monotonic()))
        ready.result()

    def ask(self, name: str, request: ChatRequest, *, retry: bool = False) -> Answer:
        """Asks the model, which is loaded first where need be. What goes wrong is raised from reading the
        answer.

        A model that has FAILED says why instead of trying again, unless ``retry`` says that a person asks
        again.

        Raises:
            RequestError: no model of that name is offered, or `request_checks` lets the request not pass.
        """
        request = self._offered.checked(name, request)
        answer_id = next(self._ids)
        answer = Answer(on_cancel=lambda: self._cancelled(name, answer_id))
        with self._lock:
            self._open.add(answer_id, request, answer)
            self._do(self._scheduler.ask(name, answer_id, time.monotonic(), retry=retry))
        return answer

    def offer(self, models: Sequence[RunnableModel], gpu_numbers: Mapping[str, str] | None = None) -> None:
        """A model that could not run when the launcher was started may run from now on.

        Args:
            models: all models by the names that are offered already, as they are to be loaded from now on;
                those that could not run and still cannot are left as they are.
            gpu_numbers: as at the start, of GPUs that no model was on before.
        """
        with self._lock:
            for model in models:
                self._offered.check(model.name)
                is_first = self._scheduler.state_of(model.name) is ModelState.UNAVAILABLE
                self._offered.plan(model, is_first=is_first)
                self._processes.know(model.name, model.specs)
            self._gpu_numbers.update(gpu_numbers or {})
            self._do(self._scheduler.offer(map(needs, models), budgets_of(models), time.monotonic()))

    def tell_of_change(self) -> None:
        """Wakes all who wait for a change: something that is shown beside the models is another now."""
        with self._lock:
            self._changes.tell()

    def unload(self, name: str) -> None:
        """Ends the model's process, loaded, asleep or standing by, once the questions it has been asked are
        answered; returns at once."""
        self._offered.check(name)
        with self._lock:
            self._do(self._scheduler.unload(name, time.monotonic()))

    def close(self) -> None:
        """Stops every process, within bounds, and ends every open answer with an error. May be called more
        than once."""
        with self._lock:
            self._closed = True
            processes = self._processes.all()
            self._do(self._scheduler.close(time.monotonic()))
            self._alarm.ring()
        for process in processes:
            process.join()
        self._processes.close()
        self._timer.join(SPARE_S)

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cancelled(self, name: str, answer_id: int) -> None:
        with self._lock:
            if self._open.give_up(answer_id):
                self._do(self._scheduler.cancel(name, answer_id, time.monotonic()))

    def _heard(self, name: str, message: FromWorker | Ended, by: Process) -> None:
        """What a supervisor reports, in its thread."""
        if not self._processes.is_models(name, by):
            self._heard_of_spare(name, message, by)
            return
        if isinstance(message, Words):
            for answer_id in self._open.say(message):
                self._cancelled(name, answer_id)
            return
        if not isinstance(message, Ready | Slept | Ended):
            self._take(name, message, by)
            return
        with self._measuring:  # so that nothing measured is older than what the scheduler knows already
            device = self._device_of(name)
            if isinstance(message, Ready):
                self._take(name, message, by)
            else:
                gone = name if isinstance(message, Ended) else ""
                self._take(name, message, by, self._look(device, gone=gone))
        if isinstance(message, Ready) and self._gauge is None:
            self._measure(device)
        elif isinstance(message, Ready):
            self._measure_aside(device)  # this thread reads the first words of those who waited

    def _heard_of_spare(self, name: str, message: FromWorker | Ended, by: Process) -> None:
        """What the supervisor of a spare process reports; it holds nothing of a device."""
        with self._lock:
            if self._processes.is_models(name, by):  # it has taken over meanwhile
                self._take(name, message, by)
                return
            is_spare, now_s = self._processes.is_spare(name, by), time.monotonic()
            if isinstance(message, StandingBy) and is_spare:
                self._scheduler.has_ram(spare_ram())
                self._do(self._scheduler.spare_stands_by(name, now_s))
            elif isinstance(message, Ended):
                self._processes.remove(name, by)
                if is_spare:
                    self._do(self._scheduler.spare_ended(name, now_s))

    def _measure_aside(self, device: str) -> None:
        Thread(target=self._measure, args=(device,), name=f"measuring {device}", daemon=True).start()

    def _measure(self, device: str) -> None:
        """Has the scheduler know what the device holds, and decide what that allows."""
        with self._measuring:
            seen = None if self._closed else self._look(device)
            with self._lock:
                self._do(self._scheduler.measured(device, seen, time.monotonic()))

    def _device_of(self, name: str) -> str:
        """What the model's process is on."""
        with self._lock:
            return next(one.device for one in self.statuses() if one.name == name)

    def _look(self, device: str, *, gone: str = "") -> Seen | None:
        """What the device holds now, a model whose process is gone left out; without the manager's lock, as
        the driver may take its time."""
        if self._gauge is None or not device:
            return None
        pids = self._processes.pids()
        pids.pop(gone, None)
        return self._gauge.read(device, pids)

    def _take(self, name: str, message: FromWorker | Ended, by: Process, seen: Seen | None = None) -> None:
        with self._lock:
            now_s, scheduler = time.monotonic(), self._scheduler
            if isinstance(message, StandingBy | Ready | Slept | Ended):
                scheduler.has_ram(spare_ram())
            match message:
                case StandingBy():
                    self._do(scheduler.standing_by(name, now_s))
                case Progressed(stage, fraction):
                    self._do(scheduler.progressed(name, stage, fraction))
                case Ready(facts):
                    self._observer.loaded(name)
                    self._offered.loaded(name, facts.session_tokens)
                    if scheduler.state_of(name) is ModelState.LOADING:  # else it was given up meanwhile
                        self._ready_waits.loaded(name)
                    self._do(scheduler.ready(name, now_s, sleeps=facts.sleeps))
                case Slept():
                    self._do(scheduler.slept(name, now_s, seen))
                case Said(answer_id, chunk):
                    self._observer.answered(name, chunk)
                    self._open.end(answer_id, chunk)
                    self._do(scheduler.finished(name, answer_id, now_s))
                case Failed(answer_id, error):
                    self._open.end(answer_id, error)
                    self._do(scheduler.finished(name, answer_id, now_s))
                case Ended(error, retry, while_loading):
                    if error is not None:
                        self._observer.died(name)
                    self._processes.remove(name, by)
                    self._do(
                        scheduler.ended(
                            name, error, retry=retry, while_loading=while_loading, now_s=now_s, seen=seen
                        )
                    )

    def _do(self, actions: Iterable[Action]) -> None:
        """Carries out decisions; the caller holds the lock, so they stay in order. Nothing here blocks."""
        for action in actions:
            match action:
                case Send(name, answer_id):
                    self._processes.send(name, Ask(answer_id, self._open.request(answer_id)))
                case Withdraw(name, answer_id):
                    self._processes.send(name, Cancel(answer_id))
                case Refuse(answer_id, error):
                    self._open.end(answer_id, error)
                case Look(device):
                    self._measure_aside(device)
                case _:
                    self._processes.carry_out(action)
        now_s = time.monotonic()
        if self._ready_waits:
            for status in self._scheduler.statuses(now_s):
                self._ready_waits.tell(status)
        self._alarm.set(self._scheduler.next_due_s(now_s))
        self._changes.tell()

    def _keep_time(self) -> None:
        """In a thread of its own: decisions that only the passing of time allows."""
        with self._lock:
            while not self._closed:
                now_s = time.monotonic()
                if actions := self._scheduler.settle(now_s):
                    self._do(actions)
                self._alarm.wait(self._scheduler.next_due_s(now_s), now_s)
