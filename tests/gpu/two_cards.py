"""Three models on two cards, asked by twenty people at once, while another program takes one of the cards.

    python3 -m tests.gpu.two_cards --checkpoints FOLDER --out DIR [--free-gib 8] [--askers 20]

FOLDER holds full-size checkpoints, in folders named as the presets look for them below $LAUNCHER_MODELS. Runs
the manager as ``launcher serve`` does, on a machine with two GPUs (more are hidden) of which ``--free-gib``
each are left free, so that a card holds one model awake:

1. two models are loaded one after the other: they are on different cards, each process on the card that it
   was told, as NVML lists it;
2. ``--askers`` people ask all three models: every answer comes, with words, and none is an error;
3. the card of one of the two is filled behind the launcher's back once that model is unloaded: it loads on
   the other card.

Writes DIR/two_cards.json after every part. Ends with 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from launcher.devices import VISIBLE_DEVICES, read_devices
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import manager_of
from launcher.workers.states import ModelState
from tests.gpu.card import Ballast, Gpu
from tests.gpu.trial import Trial

MODELS = ("internvl2-2b", "internlm-xcomposer2-vl-1_8b", "internlm2-chat-1_8b")


def places(manager: Manager) -> dict[str, str]:
    """Model -> uuid of the card that its process is on."""
    return {one.name: one.device for one in manager.statuses()}


def ask(manager: Manager, name: str, number: int) -> str:
    """An answer to a question of this asker's; the error's words where there is one."""
    request = ChatRequest(
        (Message("user", f"Say something about the number {number}."),), GenerationOptions(max_new_tokens=32)
    )
    try:
        return "".join(chunk.text for chunk in manager.ask(name, request))
    except LauncherError as error:
        return f"ERROR {error}"


def on_two_cards(trial: Trial, manager: Manager) -> None:
    """NVML tells of process ids where no container hides them; there the second check says so."""
    for name in MODELS[:2]:
        manager.ensure_ready(name)
    found = places(manager)
    trial.note("places", found)
    trial.holds("two awake models are on two cards", found[MODELS[0]] != found[MODELS[1]] != "")
    pids = manager._processes.pids()
    listed = {gpu.uuid: {one.pid for one in gpu.processes} for gpu in read_devices().gpus}
    for name in MODELS[:2]:
        trial.holds(f"the process of {name} is on the card it was told", pids[name] in listed[found[name]])


def asked_by_many(trial: Trial, manager: Manager, askers: int) -> None:
    with ThreadPoolExecutor(askers) as pool:
        asked = [pool.submit(ask, manager, MODELS[number % 3], number) for number in range(askers)]
        answers = [each.result() for each in asked]
    lost = [text for text in answers if not text.strip() or text.startswith("ERROR")]
    trial.note("answers that were lost", lost)
    trial.holds(f"all {askers} askers were answered", not lost)


def filled_behind_its_back(trial: Trial, manager: Manager) -> None:
    name = MODELS[0]
    manager.ensure_ready(name)
    before = places(manager)[name]
    manager.unload(name)
    version = 0
    while next(one.state for one in manager.statuses() if one.name == name) is not ModelState.ASLEEP:
        version = manager.wait_for_change(version, 60)
    gpu = next(gpu for gpu in read_devices().gpus if gpu.uuid == before)
    with Ballast(Gpu(gpu.uuid), free_gib=0.5):
        answer = ask(manager, name, 7)
        trial.note("placed after its card was taken", {"before": before, "after": places(manager)[name]})
        trial.holds("it was answered", bool(answer.strip()) and not answer.startswith("ERROR"))
        trial.holds("the full card was passed by", places(manager)[name] not in ("", before))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--free-gib", type=float, default=8)
    parser.add_argument("--askers", type=int, default=20)
    args = parser.parse_args()
    os.environ["LAUNCHER_MODELS"] = str(args.checkpoints)
    gpus = read_devices().gpus[:2]
    if len(gpus) < 2:
        raise SystemExit("This machine has not two GPUs.")
    os.environ[VISIBLE_DEVICES] = ",".join(gpu.uuid for gpu in gpus)
    trial = Trial(args.out / "two_cards.json")
    with ExitStack() as stack:
        for gpu in gpus:
            stack.enter_context(Ballast(Gpu(gpu.uuid), args.free_gib))
        devices, catalog, installed = read_devices(), read_presets(), installed_engines()
        found = [assess(catalog.find(name), devices, installed) for name in MODELS]
        for readiness in found:
            if readiness.reason is not None:
                raise readiness.reason
        manager = stack.enter_context(manager_of(found, devices, log_folder=args.out / "logs"))
        on_two_cards(trial, manager)
        asked_by_many(trial, manager, args.askers)
        filled_behind_its_back(trial, manager)
    print("\n".join(f"FAIL {line}" for line in trial.found["failed"]) or "ok")
    return int(bool(trial.found["failed"]))


if __name__ == "__main__":
    sys.exit(main())
