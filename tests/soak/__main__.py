"""Twenty people use a launcher for an hour: does anything grow, stay behind, or get lost?

    python -m tests.soak [--minutes 60] [--people 20] [--tabs 1000] [--every 5] [--in-turns]

A launcher of its own serves three scripted models, ``--in-turns`` on a card that holds one of them at a time;
what people do is in ``tests.soak.people``, what their programs do in ``tests.soak.programs``. First so many
tabs are opened and closed, then the people come. Prints JSON: ``done`` by deed, ``loads`` by model, ``wrong``
(what was not as it has to be), ``growth`` of the launcher and of a worker from the second quarter of the time
to the last one (MiB, threads, open files; ``tabs``: of the launcher, from a tenth of the tabs to all),
``left`` (files and processes that outlived it), and whether it is ``flat``. Ends with 1
where something was wrong, left or grown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.client import Page
from tests.soak.people import Tally, person
from tests.soak.processes import LAUNCHER, WORKERS, Held, descendants, growth, held
from tests.soak.server import Launcher, launched

MOST_GROWN = {"rss_mib": 24.0, "threads": 6.0, "files": 12.0}
"""Beyond it something grows. Threads and files of a moment's work are among the samples."""


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="soak") as place:
        told = soak(
            Path(place), options.minutes, options.people, options.tabs, options.every, options.in_turns
        )
    json.dump(told, sys.stdout, indent=2)
    return 0 if told["right"] else 1


def soak(
    folder: Path, minutes: float, people: int, tabs: int, every_s: float, in_turns: bool = False
) -> dict[str, Any]:
    """What was found; ``folder`` is empty."""
    tally, samples = Tally(), list[dict[str, Held]]()
    with launched(folder, in_turns=in_turns) as launcher:
        for_tabs = open_and_close(launcher, tabs)
        until_s = time.monotonic() + minutes * 60
        crowd = [
            threading.Thread(target=person, args=(launcher.url, f"person {number}", until_s, tally))
            for number in range(people)
        ]
        for each in crowd:
            each.start()
        while time.monotonic() < until_s:
            samples.append(held(launcher.pid))
            time.sleep(every_s)
        for each in crowd:
            each.join()
        loads, processes = launcher.loads(), descendants(launcher.pid)
    alive = [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    grown = {who: growth(samples, who) for who in (LAUNCHER, WORKERS)}
    flat = all(grown[who][what] <= most for who in grown for what, most in MOST_GROWN.items())
    left = [*launcher.left_behind(), *map(str, alive)]
    return {
        "minutes": minutes,
        "people": people,
        "done": dict(tally.done.most_common()),
        "loads": loads,
        "slowest_s": tally.slowest_s,
        "wrong": tally.wrong[:20],
        "first": {who: asdict(of) for who, of in samples[0].items()},
        "last": {who: asdict(of) for who, of in samples[-1].items()},
        "growth": {**grown, "tabs": for_tabs},
        "left": left,
        "flat": flat,
        "right": flat and not left and not tally.wrong,
    }


def open_and_close(launcher: Launcher, tabs: int) -> dict[str, float]:
    """Opens and closes so many tabs, one after another."""
    samples = []
    for number in range(tabs):
        page = Page(launcher.url)
        page.open()
        page.close()
        if number in (tabs // 10, tabs - 1):
            samples.append(held(launcher.pid)[LAUNCHER])
    if not samples:
        return {}
    first, last = asdict(samples[0]), asdict(samples[-1])
    return {name: round(last[name] - first[name], 1) for name in first}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--tabs", type=int, default=1000)
    parser.add_argument("--every", type=float, default=5, help="seconds between two looks at the processes")
    parser.add_argument("--in-turns", action="store_true", help="one model at a time fits")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
