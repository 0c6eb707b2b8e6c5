"""Twenty people on three tabs that do not fit together, for minutes: is every answer whole, right and from
the right model?

    python3 -m tests.gpu.crowd --engine scripted|lmdeploy --out DIR [--seconds 300] [--people 20] [--kills 0]

scripted: the scripted engine in real worker processes, on any machine. lmdeploy: the built-in models on
TurboMind and on the PyTorch engine, with a budget that holds one of them, on a GPU. Everyone asks without a
pause, of a tab drawn anew each time, as the page does it: wake, ask, read to the end; each question has one
right answer, known beforehand. With --kills the worker of one tab is killed that many times at random
moments, while it is asked; then its answers may end in one clear error, the next question must work, and the
other tabs must notice nothing.

Writes DIR/crowd-ENGINE-N-kills.json. Ends with 1 where an answer was lost, wrong, or waited for beyond the
bound.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launcher.errors import LauncherError, WorkerDied
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.workers.manager import Manager
from launcher.workers.placement import PATIENCE_S

LOAD_S, ANSWER_S = {"scripted": 4.0, "lmdeploy": 6.0}, {"scripted": 2.0, "lmdeploy": 4.0}
"""Generous bounds for one wake (or, after a kill, one new start) and for the answers under way. PATIENCE_S
comes on top."""


@dataclass(frozen=True)
class Question:
    """One question of one model, and what is right."""

    model: str
    request: ChatRequest
    is_right: Callable[[str], bool]


@dataclass
class Tally:
    """What all people saw; each adds to it under the lock."""

    answers: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    after_death: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def person(manager: Manager, draw: Callable[[], Question], until_s: float, tally: Tally) -> None:
    died = ""
    while time.monotonic() < until_s:
        question = draw()
        begun_s, first_s, text, finish = time.monotonic(), 0.0, "", None
        try:
            manager.wake(question.model)
            with manager.ask(question.model, question.request) as answer:
                for chunk in answer:
                    first_s = first_s or time.monotonic() - begun_s
                    text, finish = text + chunk.text, chunk.finish
        except LauncherError as error:
            with tally.lock:
                if isinstance(error, WorkerDied):
                    tally.deaths[question.model] += 1
                else:
                    tally.wrong.append(f"{question.model}: {error!r}")
            died = question.model
            continue
        with tally.lock:
            tally.answers[question.model] += 1
            tally.waits_s.append(first_s)
            if died == question.model:
                tally.after_death[question.model] += 1
                died = ""
            if finish != "stop" or not question.is_right(text):
                tally.wrong.append(f"{question.model}: {text!r} ({finish})")


def killer(manager: Manager, victim: str, kills: int, until_s: float, done: Counter[str]) -> None:
    """Kills the victim's worker while it is asked, at a random moment after it is up again."""
    while done["kills"] < kills and time.monotonic() < until_s:
        time.sleep(random.uniform(0.05, 0.6))
        running = next(one.running for one in manager.statuses() if one.name == victim)
        pid = manager._processes.pids().get(victim)
        if running and pid is not None:
            os.kill(pid, signal.SIGKILL)
            done["kills"] += 1


def scripted(folder: Path) -> tuple[Manager, Callable[[], Question]]:
    from tests.scripted_engine import register
    from tests.workers.stage import Stage

    register()

    stage = Stage(folder, [])
    names = ("first", "second", "third")
    manager = stage.manager(
        *(stage.model(name, size_bytes=6) for name in names), budget_bytes=8, standby=True
    )
    numbers = iter(range(1, 1 << 40))
    lock = threading.Lock()

    def draw() -> Question:
        with lock:
            number = next(numbers)
        name, count = random.choice(names), random.randrange(1, 80)
        expected = name + "".join(f"{n} " for n in range(count)) + f"end of {number} "
        request = ChatRequest(
            (Message("user", f"/name\n/say {count}\nend of {number}"),), GenerationOptions(max_new_tokens=999)
        )
        return Question(name, request, lambda text: text == expected)

    return manager, draw


def lmdeploy(folder: Path) -> tuple[Manager, Callable[[], Question]]:
    from tests.gpu.crowded import ENGINES, crowded_manager
    from tests.gpu.test_known_answers import chat_cases, picture_cases

    manager = crowded_manager(standby=True, log_folder=folder / "logs")
    pictures, chats = list(picture_cases(folder)), list(chat_cases())

    def draw() -> Question:
        name = random.choice(list(ENGINES))
        messages, is_right = random.choice(chats if name == "tiny-chat" else pictures)
        return Question(name, ChatRequest(messages, GenerationOptions(max_new_tokens=64)), is_right)

    return manager, draw


def first_loads(manager: Manager) -> dict[str, float]:
    """How long each took to its first load, one after the other: as with ``launcher serve --preload`` of all
    three."""
    found = {}
    for status in manager.statuses():
        begun_s = time.monotonic()
        manager.ensure_ready(status.name)
        found[status.name] = round(time.monotonic() - begun_s, 2)
    return found


def run(manager: Manager, draw: Callable[[], Question], args: argparse.Namespace) -> dict[str, Any]:
    tally, done, loaded_s = Tally(), Counter[str](), first_loads(manager)
    victim = manager.statuses()[0].name
    until_s = time.monotonic() + args.seconds
    threads = [
        threading.Thread(target=person, args=(manager, draw, until_s, tally), daemon=True)
        for _ in range(args.people)
    ]
    if args.kills:
        threads.append(
            threading.Thread(target=killer, args=(manager, victim, args.kills, until_s, done), daemon=True)
        )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(args.seconds + 120)
    waits_s = sorted(tally.waits_s)
    return {
        "engine": args.engine,
        "seconds": args.seconds,
        "people": args.people,
        "first_load_s": loaded_s,
        "answers": dict(tally.answers),
        "wrong": len(tally.wrong),
        "wrong_shown": tally.wrong[:10],
        "kills": done["kills"],
        "died": dict(tally.deaths),
        "answered_after_death": dict(tally.after_death),
        "wait_s": {
            "median": middle(waits_s, 0.5),
            "95 %": middle(waits_s, 0.95),
            "longest": middle(waits_s, 1.0),
        },
        "bound_s": 2 * (PATIENCE_S + ANSWER_S[args.engine] + LOAD_S[args.engine]) + LOAD_S[args.engine],
        "still_waiting": sum(thread.is_alive() for thread in threads),
    }


def middle(sorted_s: Sequence[float], share: float) -> float:
    return round(sorted_s[min(len(sorted_s) - 1, int(share * len(sorted_s)))], 2) if sorted_s else 0.0


def verdict(result: dict[str, Any], victim: str) -> list[str]:
    total = sum(result["answers"].values())
    allowed = (
        0 if result["engine"] == "scripted" else 0.04 * total
    )  # the models themselves are right 97 % of the time and more
    failed = [f"{result['wrong']} of {total} wrong"] if result["wrong"] > allowed else []
    if result["wait_s"]["longest"] > result["bound_s"]:
        failed.append(f"waited {result['wait_s']['longest']} s, bound {result['bound_s']} s")
    if result["still_waiting"]:
        failed.append(f"{result['still_waiting']} people wait for ever")
    if set(result["died"]) - {victim} or (result["died"] and not result["kills"]):
        failed.append(f"workers died: {result['died']}")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=["scripted", "lmdeploy"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--kills", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        manager, draw = (scripted if args.engine == "scripted" else lmdeploy)(Path(folder))
        with manager:
            result = run(manager, draw, args)
            victim = manager.statuses()[0].name
    result["failed"] = verdict(result, victim)
    print(json.dumps(result, indent=1, ensure_ascii=False))
    (args.out / f"crowd-{args.engine}-{args.kills}-kills.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False)
    )
    return int(bool(result["failed"]))


if __name__ == "__main__":
    sys.exit(main())
