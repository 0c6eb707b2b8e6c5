"""InternVL2-2B and XComposer2-VL-1.8B in four bits, awake side by side on a card of 8 GiB: memory against the
plans, twenty askers, decode speed against the models in 16 bits.

    python3 -m tests.gpu.four_bits --models FOLDER --out DIR [--minutes 5] [--askers 20] [--free-gib 8]
        [--parts together decode]
    python3 -m tests.gpu.four_bits --dry --models FOLDER [--free-gib 8]

FOLDER holds full-size checkpoints in 16 bits (random weights will do), in folders named as the presets look
for them below $LAUNCHER_MODELS. They are rounded there, to nearest, to where `launcher quantize` would put
them, so that the presets in four bits, as they are shipped, find them: memory and speed are those of what
the command makes. Runs the manager as ``launcher serve`` does, while a ballast leaves 8 GiB of the card free
("together"); then each model alone, in four bits and in 16, by one asker ("decode").

Writes DIR/four_bits.json after every part. Ends with 1 where the card's use was above what was free, above
the plans' sum by more than 5 %, a model left the card, or an answer failed. With --dry nothing is loaded and
no GPU is needed: it says what is planned, and ends with 1 where both do not fit; checkpoints that are not in
FOLDER are planned by their published sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from launcher.checkpoints import CONFIG, Located, locate, quantized_folder
from launcher.cli import plan_together
from launcher.cli.plan import planned_for
from launcher.devices import read_devices
from launcher.errors import LauncherError
from launcher.memory import GIB, Card
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import Preset, read_presets
from launcher.readiness import COMPLETE, assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import manager_of
from launcher.workers.states import ModelState
from tests.gpu.card import MIB, Ballast, Gpu, Sampler
from tests.rounded_checkpoint import write_rounded

MODELS = ("internvl2-2b", "internlm-xcomposer2-vl-1_8b")
PARTS = ("together", "decode")
DECODED = 256
MOST_OVER_PLAN = 1.05


def presets() -> tuple[list[Preset], list[Preset]]:
    """The models in 16 bits and in four, as they are shipped."""
    catalog = read_presets()
    return [catalog.find(name) for name in MODELS], [catalog.find(f"{name}-awq") for name in MODELS]


def write_checkpoints(full: list[Preset], small: list[Preset]) -> None:
    """Those in four bits, where their presets look for them."""
    for preset, awq in zip(full, small, strict=True):
        found, target = locate(preset), quantized_folder(preset.name)
        assert isinstance(found, Located), f"{preset.name} is not below --models"
        if not (target / CONFIG).exists():
            shutil.rmtree(target, ignore_errors=True)
            write_rounded(found.folder, target, "cuda")
        made = locate(awq)
        assert isinstance(made, Located), f"{awq.name} does not look at {target}"
        assert made.folder == target, f"{awq.name} is taken from {made.folder}: away with that"
    torch.cuda.empty_cache()


def planned(small: list[Preset], free_gib: float) -> bool:
    """Says what the models would take of a card of 80 GiB with so much free; whether they fit."""
    card = Card(80 * GIB, int(free_gib * GIB))
    members = []
    for preset in small:
        each = planned_for(preset, card, (9, 0), COMPLETE)
        assert each.member is not None, f"{preset.name}: {each.problem}"
        members.append(each.member)
        gib = f"{each.member.plan.total_bytes / GIB:.2f} GiB, {each.member.plan.peak_bytes / GIB:.2f} at most"
        print(f"{preset.name} on {each.member.plan.engine}: {gib}")
    print(*plan_together.told(members, card), sep="\n")
    return plan_together.fit(members, card)


def managed(models: list[Preset], out: Path) -> tuple[Manager, list[Any]]:
    devices, installed = read_devices(), installed_engines()
    found = [assess(preset, devices, installed) for preset in models]
    for each in found:
        assert each.plan is not None, f"{each.preset.name}: {each.reason}"
    return manager_of(found, devices, standby=False, log_folder=out / "logs"), [each.plan for each in found]


def question(rng: random.Random, picture: Path | None, tokens: int) -> ChatRequest:
    pictures = (picture,) if picture else ()
    text = f"Tell me about number {rng.randrange(10**6)}."
    return ChatRequest((Message("user", text, pictures),), GenerationOptions(max_new_tokens=tokens))


def asker(manager: Manager, names: list[str], picture: Path, until_s: float, seen: Counter[str]) -> None:
    rng = random.Random()
    while time.monotonic() < until_s:
        name = rng.choice(names)
        try:
            with manager.ask(name, question(rng, rng.choice((picture, None)), 64)) as answer:
                for _ in answer:
                    pass
            seen[f"answered by {name}"] += 1
        except LauncherError as error:
            seen[f"{name}: {error.message}"] += 1


def side_by_side(small: list[Preset], picture: Path, gpu: Gpu, args: argparse.Namespace) -> dict[str, Any]:
    """Both at once: who answered, the most that the card held, the plans' sum, and every other state that a
    model was seen in while they were asked."""
    sampler = Sampler(gpu)
    before = sampler.baseline_bytes
    manager, plans = managed(small, args.out)
    names, seen, states = [preset.name for preset in small], Counter[str](), Counter[str]()
    with manager:
        for name in names:
            manager.ensure_ready(name)
        loaded_gib = (gpu.used_bytes() - before) / GIB
        until_s = time.monotonic() + args.minutes * 60
        threads = [
            threading.Thread(target=asker, args=(manager, names, picture, until_s, seen), daemon=True)
            for _ in range(args.askers)
        ]
        for thread in threads:
            thread.start()
        while time.monotonic() < until_s:
            states.update(one.state.value for one in manager.statuses() if one.state is not ModelState.READY)
            time.sleep(0.2)
        for thread in threads:
            thread.join(120)
    return {
        "answers": dict(seen),
        "left_the_card": dict(states),
        "before_gib": before / GIB,
        "loaded_gib": loaded_gib,
        "peak_gib": sampler.finish()["gpu_peak_mib"] * MIB / GIB,
        "planned_gib": {p.name: plan.total_bytes / GIB for p, plan in zip(small, plans, strict=True)},
    }


def decode(preset: Preset, picture: Path, args: argparse.Namespace) -> dict[str, float]:
    """Alone, one asker: tokens in each second after the first, and milliseconds to the first; medians."""
    manager, _ = managed([preset], args.out)
    rates, firsts, rng = [], [], random.Random(0)
    with manager:
        for _ in range(6):
            with manager.ask(preset.name, question(rng, picture, DECODED)) as answer:
                *_, last = answer
            usage = last.usage
            assert usage is not None  # an answer that came to its end has one
            rates.append((usage.new_tokens - 1) / (usage.total_s - usage.first_token_s))
            firsts.append(usage.first_token_s * 1000)
    return {"tokens_s": statistics.median(rates[1:]), "first_token_ms": statistics.median(firsts[1:])}


def verdict(result: dict[str, Any], free_gib: float) -> list[str]:
    together = result["together"]
    plans_gib = sum(together["planned_gib"].values())
    wrong = [text for text in together["answers"] if not text.startswith("answered")]
    if together["peak_gib"] > free_gib:
        wrong.append(f"peak {together['peak_gib']:.2f} GiB")
    if together["peak_gib"] > MOST_OVER_PLAN * plans_gib:
        wrong.append(f"peak {together['peak_gib']:.2f} GiB, planned {plans_gib:.2f}")
    if together["left_the_card"]:
        wrong.append(f"models left the card: {together['left_the_card']}")
    return wrong


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--askers", type=int, default=20)
    parser.add_argument("--free-gib", type=float, default=8)
    args = parser.parse_args()
    if args.out is None and not args.dry:
        parser.error("--out is missing")
    return args


def main() -> int:
    args = arguments()
    os.environ["LAUNCHER_MODELS"] = str(args.models.absolute())
    full, small = presets()
    if args.dry:
        return int(not planned(small, args.free_gib))
    args.out.mkdir(parents=True, exist_ok=True)
    picture = args.out / "noise.png"
    Image.effect_noise((900, 600), 90).convert("RGB").save(picture)
    write_checkpoints(full, small)
    gpu = Gpu()
    result: dict[str, Any] = {"gpu": gpu.facts(), "free_gib": args.free_gib}
    with Ballast(gpu, args.free_gib):
        if "together" in args.parts:
            result["together"] = side_by_side(small, picture, gpu, args)
            result["failed"] = verdict(result, args.free_gib)
            write(result, args.out)
        for preset in (*small, *full) if "decode" in args.parts else ():
            result[preset.name] = decode(preset, picture, args)
            write(result, args.out)
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return int(bool(result.get("failed")))


def write(result: dict[str, Any], out: Path) -> None:
    (out / "four_bits.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
