"""Shipped presets at full size on a card of 8 GiB: memory against the plan at load and at work, the largest
picture, and switching with InternVL2-2B.

    python3 -m tests.gpu.shipped --models FOLDER --out DIR [--presets NAME...] [--free-gib 8] [--askers 8]
                                 [--engine NAME]

FOLDER is what $LAUNCHER_MODELS would name: checkpoints in 16 bits of the tutorial's models (random weights
will do); those of the other presets are written there by ``tests.gpu.full_size`` if they are missing. Runs
the manager as ``launcher serve`` does, while a ballast leaves so much of the card free, which is the presets'
budget, too. For each preset, on its own engine or on the one that is named:

1. ``load``: the most that the card held, against the plan's peak;
2. ``work``: ``--askers`` people at once ask about pictures of 4,000 x 3,000, and one fills a session: against
   the plan's total;
3. ``switch``: it and InternVL2-2B in turns (which has no such part itself), from the tab's selection to the
   first word, medians; and what it holds woken and asleep, against the plan.

Writes DIR/shipped.json after every part. Ends with 1 where the card held over 5 % more than was planned, a
question was refused, or a switch took a second.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from launcher.errors import LauncherError
from launcher.memory import GIB, MemoryPlan
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message
from launcher.presets import Preset, read_presets
from launcher.workers.manager import Manager
from tests.gpu import full_size
from tests.gpu.card import MIB, Ballast, Gpu, Sampler
from tests.gpu.four_bits import managed
from tests.gpu.measure import FULL_SIZE
from tests.gpu.trial import Trial

OTHER = "internvl2-2b"
MOST_OVER_PLAN = 1.05
MOST_SWITCH_S = 1.0
ROUNDS = 5


class CardTrial(Trial):
    """On this card, with its logs in this folder."""

    def __init__(self, out: Path, gpu: Gpu) -> None:
        super().__init__(out / "shipped.json")
        self.out, self.gpu = out, gpu
        self.note("gpu", gpu.facts())


def asked(text: str, tokens: int, *pictures: Path) -> ChatRequest:
    return ChatRequest((Message("user", text, pictures),), GenerationOptions(max_new_tokens=tokens))


def last_of(manager: Manager, name: str, request: ChatRequest) -> Chunk:
    with manager.ask(name, request) as answer:
        *_, last = answer
    return last


def outcome(manager: Manager, name: str, request: ChatRequest) -> str:
    """How an answer ended, or the error in its place."""
    try:
        return str(last_of(manager, name, request).finish)
    except LauncherError as error:
        return f"{type(error).__name__}: {error.message}"


def at_work(manager: Manager, preset: Preset, plan: MemoryPlan, picture: Path, askers: int) -> dict[str, int]:
    """How the answers ended: of so many people at once, and of one who fills a session."""
    pictures = (picture,) if preset.kind == "vision" else ()
    requests = [asked(f"What do you see at {n}?", 64, *pictures) for n in range(askers)]
    with ThreadPoolExecutor(askers) as people:
        ends = Counter(people.map(lambda one: outcome(manager, preset.name, one), requests))
    ends[f"session: {outcome(manager, preset.name, filling(manager, preset.name, plan.session_tokens))}"] += 1
    return dict(ends)


def filling(manager: Manager, name: str, session_tokens: int) -> ChatRequest:
    """A question that leaves a session room for 64 tokens more or less, and wants 512."""

    def prompt_tokens(words: int) -> int:
        usage = last_of(manager, name, asked("Count. " * words, 1)).usage
        assert usage is not None
        return usage.prompt_tokens

    few = prompt_tokens(10)
    each = (prompt_tokens(110) - few) / 100
    return asked("Count. " * (10 + int((session_tokens - few - 64) / each)), 512)


def measure(trial: CardTrial, preset: Preset, picture: Path, askers: int) -> None:
    """Parts 1 and 2, alone on the card."""
    manager, (plan,) = managed([preset], trial.out)
    loading = Sampler(trial.gpu)
    with manager:
        begun_s = time.monotonic()
        manager.ensure_ready(preset.name)
        load_s = time.monotonic() - begun_s
        compared(trial, preset, "load", loading, plan.peak_bytes, {"s": round(load_s, 1)})
        work = Sampler(trial.gpu)
        work.baseline_bytes = loading.baseline_bytes
        ends = at_work(manager, preset, plan, picture, askers)
        compared(trial, preset, "work", work, plan.total_bytes, {"ends": ends})
    expected = {"stop", "length", "session: session_full", "session: stop"}
    trial.holds(f"{preset.name}: {ends}", set(ends) <= expected)


def compared(
    trial: CardTrial, preset: Preset, part: str, sampler: Sampler, planned_bytes: int, more: dict[str, Any]
) -> None:
    held_gib, planned_gib = sampler.finish()["gpu_peak_mib"] * MIB / GIB, planned_bytes / GIB
    figures = {"held_gib": round(held_gib, 2), "planned_gib": round(planned_gib, 2)}
    trial.note(f"{preset.name}, {part}", {**figures, **more})
    trial.holds(f"{preset.name}: {part} {figures}", held_gib <= MOST_OVER_PLAN * planned_gib)


def first_word_s(manager: Manager, name: str) -> float:
    """From the tab's selection."""
    begun_s = time.perf_counter()
    manager.wake(name)
    with manager.ask(name, asked("Hello, who are you?", 16)) as answer:
        next(answer)
        seconds = time.perf_counter() - begun_s
        for _ in answer:
            pass
    return seconds


def switch(trial: CardTrial, preset: Preset) -> None:
    """Part 3."""
    names = (preset.name, OTHER)
    manager, (plan, _) = managed([preset, read_presets().find(OTHER)], trial.out)
    times: dict[str, list[float]] = {name: [] for name in names}
    held_bytes: dict[str, int] = {}
    with manager:
        for each in range(ROUNDS + 1):
            for name, part in zip(names, ("woken", "asleep"), strict=True):
                seconds = first_word_s(manager, name)
                time.sleep(4 if each == 0 else 0.5)  # a person reads; the copies of the weights are made
                held_bytes[part] = manager.device_uses()[0].held_bytes[preset.name]
                if each:
                    times[name].append(round(seconds, 3))
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    trial.note(f"{preset.name}, switch", {"median_s": medians, "all_s": times})
    for part, planned_bytes in (("woken", plan.total_bytes), ("asleep", plan.asleep_bytes)):
        figures = {"held_gib": round(held_bytes[part] / GIB, 2), "planned_gib": round(planned_bytes / GIB, 2)}
        trial.note(f"{preset.name}, {part}", figures)
        trial.holds(f"{preset.name}: {part} {figures}", held_bytes[part] <= MOST_OVER_PLAN * planned_bytes)
    trial.holds(f"{preset.name}: switch {medians}", max(medians.values()) < MOST_SWITCH_S)


def tried(trial: CardTrial, name: str, args: argparse.Namespace, picture: Path) -> None:
    preset = read_presets().find(name)
    memory = preset.memory.model_copy(update={"gpu_budget_gib": args.free_gib})
    preset = preset.model_copy(update={"memory": memory, "engine": args.engine or preset.engine})
    try:
        measure(trial, preset, picture, args.askers)
        if name != OTHER:
            switch(trial, preset)
    except (LauncherError, AssertionError) as error:
        trial.holds(f"{name}: {type(error).__name__}: {error}", False)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--presets", nargs="+", choices=[*full_size.WRITERS, *FULL_SIZE], default=list(full_size.WRITERS)
    )
    parser.add_argument("--free-gib", type=float, default=8)
    parser.add_argument("--askers", type=int, default=8)
    parser.add_argument("--engine", default="")
    args = parser.parse_args()
    os.environ["LAUNCHER_MODELS"] = str(args.models.absolute())
    args.out.mkdir(parents=True, exist_ok=True)
    picture = args.out / "noise.jpg"
    Image.effect_noise((4000, 3000), 90).convert("RGB").save(picture)
    # In a process of its own: what it holds of the card must not stay.
    written = [name for name in args.presets if name in full_size.WRITERS]
    write = [sys.executable, "-m", "tests.gpu.full_size", str(args.models), *written]
    subprocess.run(write, check=True, stdout=subprocess.DEVNULL)
    trial = CardTrial(args.out, gpu := Gpu())
    with Ballast(gpu, args.free_gib):
        for name in args.presets:
            tried(trial, name, args, picture)
    print("\n".join(f"FAIL {line}" for line in trial.found["failed"]) or "ok")
    return int(bool(trial.found["failed"]))


if __name__ == "__main__":
    sys.exit(main())
