"""A switch: a question in a tab whose model sleeps, while another model has the GPU."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from launcher.bench import client_child, page_child
from launcher.bench.child import Child
from launcher.bench.client_child import AllHeard
from launcher.bench.throughput import Tell
from launcher.bench.workload import Workload
from launcher.errors import RequestError
from launcher.readiness import Readiness
from launcher.workers.states import ModelStatus, ProcessState

_ANSWER_TOKENS = 16
_FIRST_ROUNDS = 2
"""A first load takes more of the GPU than a waking, so a sleeper may have to end for it: that one is loaded
again before anything is measured."""


def measure_switches(
    models: Sequence[Readiness],
    rounds: int,
    route: str,
    uploads: Path,
    tell: Tell,
    *,
    rate: float | None = None,
    limit_bytes: int | None = None,
) -> list[dict[str, Any]]:
    """For each model, seconds from a question in its tab to the first text: the rounds' median, and all.

    Args:
        models: they are asked in turn; at least two.
        rounds: how often each is asked while it sleeps.
        route: the way the questions go.
        uploads: a folder for the page's pictures.
        tell: what is measured now.
        rate: tokens a second, of scripted models.
        limit_bytes: what the models may hold of the GPU together.

    Raises:
        RequestError: a model did not sleep when its turn came.
        LauncherError: a model cannot be loaded or asked.
    """
    work = Workload(_ANSWER_TOKENS, rate)
    found: dict[str, list[float]] = {model.preset.name: [] for model in models}
    with ExitStack() as stack:
        page = stack.enter_context(page_child.page_process())
        people = stack.enter_context(client_child.people_process())
        served = page_child.Serve(tuple(models), uploads, limit_bytes, is_measured=rate is None)
        url = page.ask(served)
        for number in range(_FIRST_ROUNDS):
            for model in models:
                tell(
                    f"the first load of {model.preset.name}" if not number else "loading again who had to end"
                )
                _first_text_s(people, url, route, model, work)
        for number in range(rounds):
            tell(f"switches: round {number + 1} of {rounds}")
            for model in models:
                _check_sleeps(page, model.preset.name)
                found[model.preset.name].append(_first_text_s(people, url, route, model, work))
    return [
        {
            "model": name,
            "first_text_s": round(statistics.median(all_s), 3),
            "all_s": [round(each, 3) for each in all_s],
        }
        for name, all_s in found.items()
    ]


def _first_text_s(people: Child, url: str, route: str, model: Readiness, work: Workload) -> float:
    people.ask(client_child.Connect(url, route, model.preset))
    conversations = (work.conversation(0, _ANSWER_TOKENS),)
    heard: AllHeard = people.ask(client_child.AskAll(conversations, _ANSWER_TOKENS))
    return heard.answers[0].timing.first_s


def _check_sleeps(page: Child, name: str) -> None:
    status: ModelStatus = page.ask(page_child.StatusOf(name))
    if status.process is not ProcessState.SLEEPING:
        raise RequestError(
            "{name} does not sleep when its turn comes: it is {state}, its process {process}",
            hint="Where all fit the GPU together, give them less of it, in GiB: --gpu-gib 8",
            name=name,
            state=status.state.value,
            process=status.process.value,
        )
