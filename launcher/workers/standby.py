"""For which model a process is made to stand by, or a spare one: pure.

Such a process has imported all that loading needs, and never touched the device; it costs RAM alone. For a
model that is loaded it is a spare: should its process die, people wait for a load, and not for imports too.
"""

from __future__ import annotations

from collections.abc import Collection

from launcher.workers.actions import Action, Prepare, PrepareSpare
from launcher.workers.model_record import ModelRecord
from launcher.workers.states import ModelState, ProcessState

MAX_STANDING_BY = 3
"""Each takes RAM for all that it has imported. The next takes the place of one that is used."""

STANDBY_BYTES = 1 << 30
"""RAM that must be to be had before one is made. What it imports was measured to take 0.32 GiB of its own
with PyTorch's build for the CPU; CUDA's libraries and the tokenizer come on top."""


def prepare_next(models: Collection[ModelRecord], spare_ram_bytes: int | None) -> list[Action]:
    """The next model that is to get one begins to have it; see ``next_to_prepare``."""
    model = next_to_prepare(models, spare_ram_bytes)
    if model is None:
        return []
    if model.process is not ProcessState.NONE:
        model.spare = ProcessState.STARTING
        return [PrepareSpare(model.needs.name)]
    model.has_process(ProcessState.STARTING)
    return [Prepare(model.needs.name)]


def next_to_prepare(models: Collection[ModelRecord], spare_ram_bytes: int | None) -> ModelRecord | None:
    """The next model to get one: one without a process, those first that wait for their turn, else a loaded
    one without a spare, the one used last first. None while something loads or is prepared, as that goes
    undisturbed, and where there are enough of them or RAM is short.

    Args:
        models: all of them.
        spare_ram_bytes: what may be taken of RAM now; None where that cannot be told.
    """
    standing_by = [model.process for model in models]
    all_of_them = [*standing_by, *(model.spare for model in models)]
    busy = ProcessState.STARTING in all_of_them or any(model.state is ModelState.LOADING for model in models)
    short = spare_ram_bytes is not None and spare_ram_bytes < STANDBY_BYTES
    if busy or short:
        return None
    candidates = [model for model in models if model.needs.stands_by and not model.no_standby]
    without = [
        model
        for model in candidates
        if model.process is ProcessState.NONE and model.state in (ModelState.ASLEEP, ModelState.WAITING)
    ]
    if without and standing_by.count(ProcessState.STANDING_BY) < MAX_STANDING_BY:
        return min(without, key=lambda one: one.state is not ModelState.WAITING)
    loaded = [
        model
        for model in candidates
        if model.state is ModelState.READY and model.spare is ProcessState.NONE and not model.no_spare
    ]
    if all_of_them.count(ProcessState.STANDING_BY) >= MAX_STANDING_BY:
        return None
    return max(loaded, key=lambda one: one.used_s, default=None)
