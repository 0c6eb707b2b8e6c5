"""How long a tab takes from its selection to the first token, on a card of 8 GiB, for every ordered pair of
the three models.

    python3 -m tests.gpu.switching --checkpoints FOLDER --out DIR [--free-gib 8] [--rounds 5] [--switches 50]

FOLDER holds full-size checkpoints, in folders named as the presets look for them below $LAUNCHER_MODELS. Runs
the manager as ``launcher serve`` does: presets, readiness, plans, worker processes, budget and measuring; a
switch is what selecting a tab and asking does. Beside it, in the same run: the same model in a process
started anew, with and without one that stands by, and the bare copy of its weights to the GPU.

Writes DIR/switching.json after every part. Ends with 1 where a median is above 1.5 s, the card's use above
the free memory given, its use after all switches above that after the first six, or a model's greedy answer
to the one question not the same each time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from launcher.devices import read_devices
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import manager_of
from launcher.workers.states import ModelState, ProcessState
from tests.gpu.card import MIB, Ballast, Gpu, Sampler

MODELS = ("internvl2-2b", "internlm-xcomposer2-vl-1_8b", "internlm2-chat-1_8b")
LIMIT_S = 1.5
ANSWER_TOKENS = 64
_COPY = """
import json, sys, time, torch
from safetensors import safe_open
with safe_open(sys.argv[1], "pt") as file:
    host = [file.get_tensor(name).pin_memory() for name in file.keys()]
torch.cuda.synchronize()
for _ in range(2):
    begun = time.perf_counter()
    copies = [tensor.to("cuda", non_blocking=True) for tensor in host]
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    del copies
print(json.dumps({"gib": sum(t.numel() * t.element_size() for t in host) / 2**30, "s": seconds}))
"""


class Bench:
    """The manager as ``launcher serve`` makes it, and what it is measured by."""

    def __init__(self, out: Path, free_gib: float) -> None:
        self.out, self.free_gib = out, free_gib
        self.result: dict[str, Any] = {"failed": []}
        self.gpu = Gpu()
        self.result["gpu"] = self.gpu.facts()
        self.ballast = Ballast(self.gpu, free_gib)
        self.before_bytes = self.gpu.used_bytes()
        self.logs = out / "logs"
        self.folders: dict[str, Path | None] = {}
        self.answers: dict[str, Counter[str]] = defaultdict(Counter)

    def write(self) -> None:
        (self.out / "switching.json").write_text(json.dumps(self.result, indent=1))

    def say(self, *words: Any) -> None:
        print(f"[{time.monotonic() - BEGUN_S:6.1f} s, {self.used_mib():6.0f} MiB]", *words, flush=True)

    def used_mib(self) -> float:
        return (self.gpu.used_bytes() - self.before_bytes) / MIB

    def manager(self, *, standby: bool) -> Manager:
        devices = read_devices()
        catalog = read_presets()
        found = [assess(catalog.find(name), devices, installed_engines()) for name in MODELS]
        for readiness in found:
            if readiness.reason is not None:
                raise readiness.reason
            self.folders[readiness.preset.name] = readiness.folder
        return manager_of(found, devices, standby=standby, log_folder=self.logs)


def first_token_s(bench: Bench, manager: Manager, name: str) -> float:
    """From selecting the tab to the first word; the answer is read to its end, and kept."""
    begun_s = time.perf_counter()
    manager.wake(name)
    request = ChatRequest(
        (Message("user", "Hello, who are you?"),),
        GenerationOptions(max_new_tokens=ANSWER_TOKENS),
    )
    with manager.ask(name, request) as answer:
        first = next(answer)
        seconds = time.perf_counter() - begun_s
        text = first.text + "".join(chunk.text for chunk in answer)
    bench.answers[name][text] += 1
    return seconds


def settled(manager: Manager) -> None:
    """Waits until nothing loads, and a process stands by or sleeps for everyone."""
    version = 0
    while any(
        one.state in (ModelState.LOADING, ModelState.STOPPING)
        or one.process in (ProcessState.NONE, ProcessState.STARTING)
        for one in manager.statuses()
    ):
        version = manager.wait_for_change(version, 60)


def tour() -> Iterator[tuple[str, str]]:
    """Every ordered pair once, each beginning where the last one ended."""
    a, b, c = MODELS
    stops = (a, b, c, a, c, b, a)
    return pairwise(stops)


def first_loads(bench: Bench, manager: Manager) -> None:
    bench.result["first_load_s"] = {}
    for name in MODELS:
        bench.result["first_load_s"][name] = round(first_token_s(bench, manager, name), 2)
        bench.say(
            "first load of",
            name,
            bench.result["first_load_s"][name],
            {u.device: dict(u.held_bytes) for u in manager.device_uses()},
        )
        time.sleep(4)  # a person reads; the host copy of the weights is made meanwhile
    bench.write()


def switch(bench: Bench, manager: Manager, rounds: int, switches: int) -> None:
    times: dict[str, list[float]] = defaultdict(list)
    used: list[float] = []
    first_token_s(bench, manager, MODELS[0])
    while len(used) < max(switches, rounds * 6):
        for before, after in tour():
            times[f"{before} -> {after}"].append(first_token_s(bench, manager, after))
            time.sleep(0.2)
            used.append(bench.used_mib())
    bench.result["switch_s"] = {
        pair: {"median": round(statistics.median(each), 3), "all": [round(one, 3) for one in each]}
        for pair, each in times.items()
    }
    bench.result["used_mib"] = [round(one) for one in used]
    last = used[-6:]
    bench.result["growth_mib"] = round(max(last) - max(used[:6]))
    bench.result["processes"] = {one.name: one.process.value for one in manager.statuses()}
    for pair, each in bench.result["switch_s"].items():
        bench.say(pair, each)
        if each["median"] > LIMIT_S:
            bench.result["failed"].append(f"{pair}: {each['median']} s")
    bench.result["answers"] = bench.answers
    for name, answers in bench.answers.items():
        bench.say(name, "answered the same", max(answers.values()), "of", sum(answers.values()), "times")
        if len(answers) > 1 or not all(answers):
            bench.result["failed"].append(f"{name} gave {len(answers)} answers to one question")
    if bench.result["growth_mib"] > 32:
        bench.result["failed"].append(f"grew by {bench.result['growth_mib']} MiB")
    bench.write()


def started_anew(bench: Bench, manager: Manager) -> None:
    """The process ended, and one that stands by takes over; then one that has to be spawned."""
    bench.result["stands_by_s"] = {}
    for name in MODELS:
        manager.unload(name)
        settled(manager)
        bench.result["stands_by_s"][name] = round(first_token_s(bench, manager, name), 2)
        bench.say("stood by:", name, bench.result["stands_by_s"][name])
    bench.write()


def without_standby(bench: Bench) -> None:
    bench.result["started_anew_s"] = {}
    for name in MODELS:
        with bench.manager(standby=False) as manager:
            bench.result["started_anew_s"][name] = round(first_token_s(bench, manager, name), 2)
        bench.say("started anew:", name, bench.result["started_anew_s"][name])
        bench.write()


def bare_copy(bench: Bench) -> None:
    bench.result["bare_copy"] = {}
    for name in MODELS:
        command = [sys.executable, "-c", _COPY, f"{bench.folders[name]}/model.safetensors"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        bench.result["bare_copy"][name] = (
            json.loads(done.stdout) if done.returncode == 0 else done.stderr[-500:]
        )
        bench.say("bare copy", name, bench.result["bare_copy"][name])
    bench.write()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--free-gib", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--switches", type=int, default=50)
    parser.add_argument("--skip", nargs="*", default=[], choices=["anew", "copy", "standby"])
    args = parser.parse_args()
    os.environ["LAUNCHER_MODELS"] = str(args.checkpoints)
    bench = Bench(args.out, args.free_gib)
    sampler = Sampler(bench.gpu)
    try:
        with bench.manager(standby=True) as manager:
            settled(manager)
            bench.result["standing_by_mib"] = round(bench.used_mib())
            bench.say("all stand by")
            first_loads(bench, manager)
            switch(bench, manager, args.rounds, args.switches)
            if "standby" not in args.skip:
                started_anew(bench, manager)
        bench.result["after_mib"] = round(bench.used_mib())
        peak = bench.result["peak_mib"] = round(sampler.finish()["gpu_peak_mib"])
        bench.say("peak", peak)
        if peak > args.free_gib * 1024:
            bench.result["failed"].append(f"peak {peak} MiB")
        if "anew" not in args.skip:
            without_standby(bench)
    finally:
        bench.ballast.close()
        bench.write()
    if "copy" not in args.skip:
        bare_copy(bench)
    print("\n".join(f"FAIL {line}" for line in bench.result["failed"]) or "ok")
    return int(bool(bench.result["failed"]))


BEGUN_S = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
