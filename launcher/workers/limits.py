"""How long the launcher waits for a model's process, and how often that says it lives: every bound in one
place, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

HEARTBEAT_S = 1.0
"""Between two signs of life; short against HANG_S, so that one late beat means nothing."""

HANG_S = 30.0
"""Without a sign of life from a loaded worker's event loop. A loop may be held up for a token or an
allocation, or starve on a busy machine, for seconds; never for half a minute."""

LOAD_SILENCE_S = 900.0
"""Without progress while loading. Engines say little while a library imports or 5 GB come from a cold network
disk."""

ANSWER_SILENCE_S = 180.0
"""Without a word on any answer while a GPU has some to give: beyond any prefill, queue or kernel
compilation."""

CPU_ANSWER_SILENCE_S = 1800.0
"""The same on a CPU, where the prefill of twelve picture tiles by a 2B model can honestly take many
minutes."""

SLEEP_S = 15.0
"""For a worker to give its GPU back. Measured 0.03 to 0.3 s, and 2 s while the host copy of its weights is
still being made."""

CLOSE_S = 5.0
"""For a worker that was asked to stop to end its answers and close its engine."""

TERMINATE_S = 2.0
"""From SIGTERM, which a worker does not handle, to its end; only a process stopped or deep in a driver takes
longer."""

KILL_S = 10.0
"""From SIGKILL to its end: the driver gives back the memory of a GPU before the process is gone."""

SWEEP_S = 5.0
"""For what a worker had spawned to be found and killed; it takes hundredths of a second."""

MEASURE_S = 2.0
"""For the driver to tell what a device holds; it takes thousandths. One that hangs is not waited for."""

SPARE_S = 3.0
"""On top of the bounds, for a machine that is busy."""

TICK_S = 0.25
"""Between two looks at the clocks. A step counts for at most STEP_S, so that a suspended launcher finds no
hang on waking."""

STEP_S = 1.0
"""The most that one look at the clock may add to a silence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one worker's supervision; tests shorten them."""

    heartbeat_s: float = HEARTBEAT_S
    hang_s: float = HANG_S
    load_silence_s: float = LOAD_SILENCE_S
    answer_silence_s: float = ANSWER_SILENCE_S
    sleep_s: float = SLEEP_S
    close_s: float = CLOSE_S
    terminate_s: float = TERMINATE_S
    kill_s: float = KILL_S

    @property
    def end_s(self) -> float:
        """From asking a process to stop to its end, and everybody told, at the very most."""
        return self.close_s + 2 * self.terminate_s + self.kill_s + SWEEP_S + MEASURE_S + SPARE_S


def limits_for(device: str) -> Limits:
    """The bounds that suit a torch device: a CPU may be silent for longer."""
    return Limits(answer_silence_s=CPU_ANSWER_SILENCE_S) if device == "cpu" else Limits()
