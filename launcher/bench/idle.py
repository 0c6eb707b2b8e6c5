"""Pages that are open and do nothing, and people who wait for a model: what they cost the page's process."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from launcher.bench import client_child, page_child
from launcher.bench.route import BROWSER
from launcher.bench.scripted_models import scripted_models
from launcher.bench.throughput import Tell
from launcher.bench.workload import Workload

_TABS = 7
"""As many as the launcher's own presets."""


def measure_idle(pages: int, waiting: int, seconds: float, folder: Path, tell: Tell) -> dict[str, Any]:
    """Processor seconds of the page's process, and what part of a core that is.

    Args:
        pages: how many are open.
        waiting: how many more people have asked a model that loads and loads.
        seconds: how long it is measured.
        folder: for files of the measurement.
        tell: what is measured now.
    """
    models = scripted_models(folder, [f"tab-{number}" for number in range(_TABS)], loading="/stall")
    with ExitStack() as stack:
        page = stack.enter_context(page_child.page_process())
        idlers = stack.enter_context(client_child.people_process("idlers"))
        askers = stack.enter_context(client_child.people_process("askers"))
        url = page.ask(page_child.Serve(tuple(models), folder))
        tell(f"{pages} pages open, {waiting} people wait, {seconds:g} s")
        for people in (idlers, askers):
            people.ask(client_child.Connect(url, BROWSER, models[0].preset))
        idlers.ask(client_child.OpenPages(pages))
        questions = tuple(Workload(1, rate=1.0).conversation(person, 1) for person in range(waiting))
        askers.ask(client_child.LeaveOpen(questions))
        page.ask(page_child.UntilWaiting(waiting))
        before_s, begun_s = page.ask(page_child.CpuSeconds()), time.monotonic()
        time.sleep(seconds)
        used_s, passed_s = page.ask(page_child.CpuSeconds()) - before_s, time.monotonic() - begun_s
    return {
        "pages": pages,
        "waiting": waiting,
        "seconds": round(passed_s, 1),
        "cpu_s": round(used_s, 3),
        "core_percent": round(100 * used_s / passed_s, 2),
    }
