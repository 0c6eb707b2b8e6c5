"""The sentences about a worker process that failed: each with its exit, its log and the log's last lines."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from launcher.engines.base import says_out_of_memory
from launcher.errors import EngineError, LauncherError, OutOfMemory, WorkerDied
from launcher.workers.logs import BoundedLog
from launcher.workers.message_pipe import UnreadableMessage


@dataclass(frozen=True, slots=True)
class Failures:
    """Words the failures of one model's process."""

    model: str
    log: BoundedLog

    def died(self, exit_code: int | None) -> WorkerDied:
        """The process ended while it had a model."""
        return WorkerDied(
            "{model} stopped unexpectedly: its process ended with {exit}.",
            hint="Ask again: it starts anew. Its log {log} ends:\n{last_lines}",
            exit=exit_in_words(exit_code),
            **self._log_values(),
        )

    def died_loading(self, exit_code: int | None) -> LauncherError:
        """The process ended before the model was loaded; TurboMind's does where it finds no memory."""
        if any(map(says_out_of_memory, self.log.last_lines())):
            return OutOfMemory(
                "{model} ran out of memory while loading: its process ended with {exit}.",
                hint="See who holds GPU memory with nvidia-smi. Its log {log} ends:\n{last_lines}",
                exit=exit_in_words(exit_code),
                **self._log_values(),
            )
        return WorkerDied(
            "{model} could not be loaded: its process ended with {exit}.",
            hint="Ending with SIGKILL often means that memory ran out. Its log {log} ends:\n{last_lines}",
            exit=exit_in_words(exit_code),
            **self._log_values(),
        )

    def hung(self, limit_s: float) -> WorkerDied:
        """The event loop gave no sign of life."""
        return WorkerDied(
            "{model} did not respond for {seconds:.0f} s, so its process was ended.",
            hint="Ask again: it starts anew. Its log {log} ends:\n{last_lines}",
            seconds=limit_s,
            **self._log_values(),
        )

    def silent(self, limit_s: float) -> WorkerDied:
        """There were answers to give, and none got on."""
        return WorkerDied(
            "{model} gave no answer a single word for {seconds:.0f} s, so its process was ended.",
            hint="Ask again: it starts anew. Its log {log} ends:\n{last_lines}",
            seconds=limit_s,
            **self._log_values(),
        )

    def silent_loading(self, limit_s: float, stage: str) -> WorkerDied:
        """Loading did not get on."""
        return WorkerDied(
            "{model} could not be loaded: no progress for {seconds:.0f} s at {stage}.",
            hint="Try again. Its log {log} ends:\n{last_lines}",
            seconds=limit_s,
            stage=stage,
            **self._log_values(),
        )

    def unreadable(self, reason: UnreadableMessage) -> WorkerDied:
        """The process said what no worker says."""
        return WorkerDied(
            "{model}'s process said something that cannot be read, so it was ended: {reason}",
            hint="Ask again: it starts anew. Its log {log} ends:\n{last_lines}",
            reason=str(reason),
            **self._log_values(),
        )

    def not_started(self, reason: OSError) -> EngineError:
        """The operating system gave no process."""
        return EngineError(
            "No process could be started for {model}: {reason}",
            hint="Free memory or processes on this machine, then try again.",
            model=self.model,
            reason=str(reason),
        )

    def defect(self, reason: Exception) -> EngineError:
        """The launcher itself went wrong over this process."""
        return EngineError(
            "The launcher lost {model}'s process: {reason}",
            hint="Try again. This is a defect of the launcher; please report it.",
            model=self.model,
            reason=f"{type(reason).__name__}: {reason}",
        )

    def _log_values(self) -> dict[str, str]:
        last_lines = "\n".join(self.log.last_lines()) or "(it printed nothing)"
        return {"model": self.model, "log": str(self.log.path), "last_lines": last_lines}


def exit_in_words(exit_code: int | None) -> str:
    """An exit code as people name it, e.g. "exit code 3" or "signal SIGKILL"; None is a process that even
    SIGKILL left there."""
    if exit_code is None:
        return "nothing, it cannot be killed"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"
