"""Steps that one model takes: each changes its record, and is the action that has to follow. Pure."""

from __future__ import annotations

from launcher.workers.actions import Action, Send, Sleep, Stop, StopSpare
from launcher.workers.model_record import ModelRecord
from launcher.workers.residency import Leaving
from launcher.workers.states import ModelState, ProcessState


def way_out(model: ModelRecord) -> Leaving | None:
    """How it leaves now, if it has to and nobody would lose an answer by it."""
    if model.running or model.process is ProcessState.NONE or model.state is ModelState.STOPPING:
        return None
    answers_first = model.waiting and model.state is not ModelState.READY
    return Leaving.END if model.unloading and not answers_first else model.yielding


def leave(model: ModelRecord, way: Leaving, now_s: float) -> Action:
    """The model begins to leave; it sleeps where it is asked to, is loaded and can."""
    if way is Leaving.SLEEP and not (model.sleeps and model.state is ModelState.READY):
        way = Leaving.END
    model.leaving = way
    model.enter(ModelState.STOPPING, now_s)
    return Sleep(model.needs.name) if way is Leaving.SLEEP else Stop(model.needs.name)


def end_spare(model: ModelRecord) -> list[Action]:
    """Its spare process goes, where it has one."""
    if model.spare is ProcessState.NONE:
        return []
    model.spare = ProcessState.NONE
    return [StopSpare(model.needs.name)]


def begin_answers(model: ModelRecord) -> list[Action]:
    """All questions that wait for it are asked."""
    actions: list[Action] = [Send(model.needs.name, answer_id) for answer_id in model.waiting]
    model.running.update(model.waiting)
    model.waiting.clear()
    return actions
