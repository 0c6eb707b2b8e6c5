"""The processes of all models: each model has one or none, and maybe a spare one that is to take its place.
An engine that lives in the launcher counts as a process here (``on_loop``).

Carries out what the scheduler decides about processes, under the manager's lock; decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.engines.table import find
from launcher.workers.actions import Prepare, PrepareSpare, Sleep, Start, Stop, StopSpare, UseSpare
from launcher.workers.leftovers import Leftovers
from launcher.workers.limits import Limits, limits_for
from launcher.workers.logs import BoundedLog, log_path
from launcher.workers.on_loop import OnLoop
from launcher.workers.protocol import FromWorker, ToWorker
from launcher.workers.supervisor import Ended, Supervisor

if TYPE_CHECKING:
    from launcher.engines.base import EngineSpec

ProcessAction = Prepare | PrepareSpare | UseSpare | StopSpare | Start | Sleep | Stop
Process = Supervisor | OnLoop
Report = Callable[[str, FromWorker | Ended, Process], None]
"""Called with a model's name, what one of its processes says, and which; in that one's thread."""


class Processes:
    """Supervisors by model.

    Args:
        specs: each model's devices -> how its engine is built there.
        limits: the bounds of every worker's supervision; None for those that suit its device.
        log_folder: where models' logs go.
        report: told all that the processes say.
    """

    def __init__(
        self,
        specs: Mapping[str, Mapping[str, EngineSpec]],
        limits: Limits | None,
        log_folder: Path,
        report: Report,
    ) -> None:
        self._specs = dict(specs)
        self._limits = limits
        self._log_folder = log_folder
        self._report = report
        self._leftovers = Leftovers()
        self._of: dict[str, Process] = {}
        self._spares: dict[str, Process] = {}
        self._spares_leaving: set[Process] = set()

    def know(self, name: str, specs: Mapping[str, EngineSpec]) -> None:
        """How the model's engine is built from its next load on."""
        self._specs[name] = specs

    def carry_out(self, action: ProcessAction) -> None:
        """Does what was decided; returns at once."""
        name = action.name
        match action:
            case Prepare():
                self._of[name] = self._spawn(name)
            case PrepareSpare():
                self._spares[name] = self._spawn(name)
            case UseSpare():
                self._of[name] = self._spares.pop(name)
            case StopSpare():
                self._spares_leaving.add(spare := self._spares.pop(name))
                spare.stop()
            case Start(_, device):
                if name not in self._of:
                    self._of[name] = self._spawn(name, device)
                self._of[name].load(self._specs[name][device])
            case Sleep():
                self._of[name].sleep()
            case Stop():
                self._of[name].stop()

    def send(self, name: str, message: ToWorker) -> None:
        """Says something to the model's process."""
        self._of[name].send(message)

    def is_models(self, name: str, process: Process) -> bool:
        """Whether it is the model's process, not a spare one. May be called without the lock."""
        return self._of.get(name) is process

    def is_spare(self, name: str, process: Process) -> bool:
        """Whether it is the spare process that would take the model's process's place."""
        return self._spares.get(name) is process

    def remove(self, name: str, process: Process) -> None:
        """It has ended."""
        for group in (self._of, self._spares):
            if group.get(name) is process:
                del group[name]
        self._spares_leaving.discard(process)

    def pids(self) -> dict[str, int]:
        """Process ids of the models' processes that run. May be called without the lock."""
        return {name: process.pid for name, process in self._of.copy().items() if process.pid is not None}

    def all(self) -> list[Process]:
        """All of them, spare ones and those on their way out included."""
        return [*self._of.values(), *self._spares.values(), *self._spares_leaving]

    def close(self) -> None:
        """Ends what processes have left behind; all of them are gone by then."""
        self._leftovers.close()

    def _spawn(self, name: str, device: str | None = None) -> Process:
        """A process that prepares for the device; by default for the first, though it may be told of another
        when it is to load."""
        specs = self._specs[name]
        spec = specs[device or next(iter(specs))]
        limits = self._limits or limits_for(spec.device)
        log = BoundedLog(log_path(self._log_folder, name))

        def report(message: FromWorker | Ended) -> None:
            self._report(name, message, process)

        process: Process
        if find(spec.engine).home == "loop":
            process = OnLoop(spec, limits, log, report)
        else:
            process = Supervisor(spec, limits, log, self._leftovers, report)
        process.start()
        return process
