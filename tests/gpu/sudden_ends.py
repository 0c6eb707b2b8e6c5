"""What the GPU alone can show of processes that stand by, and of those that end in the middle of something.

    python3 -m tests.gpu.sudden_ends --out DIR [--parts standby assertion compiling] [--kills 4]

With the built-in models on LMDeploy's engines, behind the manager:

* ``standby``: a process that stands by holds nothing of the card, as NVML lists it, and of RAM no more than
  is kept for one (``STANDBY_BYTES``).
* ``assertion``: a kernel fails its assertion while three people are being answered. Each of them gets one
  clear error, the process ends, and the next answers are what they were before; on both engines.
* ``compiling``: the PyTorch engine with nothing compiled yet is killed with SIGKILL at moments spread over
  its loading, most of which is compiling. It loads from what was left behind, and its answers are what they
  were before; nothing that it spawned lives on. Some 40 s for each.

Writes DIR/sudden_ends.json after every part. Ends with 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from launcher.devices import Devices, read_devices, read_gpus
from launcher.engines import table
from launcher.errors import EngineBroken, LauncherError, WorkerDied
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import Readiness, assess, installed_engines
from launcher.workers.gpu_memory import seen_on
from launcher.workers.manager import Manager
from launcher.workers.offered import RunnableModel
from launcher.workers.runnable import runnable_models
from launcher.workers.standby import STANDBY_BYTES
from launcher.workers.states import ProcessState
from tests.gpu.asserting_engine import ASSERT, ASSERTING
from tests.gpu.crowded import ENGINES
from tests.gpu.test_known_answers import ask, cases
from tests.gpu.trial import Trial

QUESTIONS = 4
COMPILES = "shapes-xcomposer2"
"""On the PyTorch engine, which compiles its kernels on the machine that it runs on."""
WAIT_S = 240.0


def readiness_of(name: str, devices: Devices) -> Readiness:
    preset = read_presets().find(name).model_copy(update={"engine": ENGINES[name]})
    found = assess(preset, devices, installed_engines())
    if found.reason is not None:
        raise found.reason
    return found


@contextmanager
def managed(name: str, out: Path, *, engine: str = "", standby: bool = False) -> Iterator[Manager]:
    """A manager of this model alone, as it runs here or on another engine."""
    (model,) = runnable_models([readiness_of(name, read_devices())])
    specs = {device: replace(spec, engine=engine or spec.engine) for device, spec in model.specs.items()}
    with Manager(
        [RunnableModel(name, specs)], standby=standby, measure=seen_on, log_folder=out / "logs"
    ) as manager:
        yield manager


def wait_until(manager: Manager, happened: Callable[[], bool], within_s: float = WAIT_S) -> bool:
    """Whether it happened within so long."""
    version, ends_s = 0, time.monotonic() + within_s
    while not happened():
        if (left_s := ends_s - time.monotonic()) <= 0:
            return False
        version = manager.wait_for_change(version, min(left_s, 1.0))
    return True


def answers(manager: Manager, name: str, folder: Path) -> list[str]:
    """To the first known questions; an error's words in place of an answer."""
    given = []
    for messages, _ in cases(name, folder)[:QUESTIONS]:
        try:
            given.append(ask(manager, name, messages))
        except LauncherError as error:
            given.append(f"ERROR {error}")
    return given


def private_bytes(pid: int) -> int:
    """What the kernel counts as this process's alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return sum(int(fields[key].split()[0]) * 1024 for key in ("Private_Clean", "Private_Dirty"))


def standby(trial: Trial, out: Path) -> None:
    """The model is loaded, so its process is left out: the other is its spare."""
    name = COMPILES
    with managed(name, out, standby=True) as manager:
        manager.ensure_ready(name)
        spare_stands_by = wait_until(
            manager, lambda: manager._scheduler._models[name].spare is ProcessState.STANDING_BY
        )
        trial.holds("a spare process stands by", spare_stands_by)
        if not spare_stands_by:
            return
        pid = manager._processes._spares[name].pid
        assert pid is not None
        listed = {process.pid for gpu in read_gpus() for process in gpu.processes}
        trial.holds("the spare process is not on a card", pid not in listed)
        held_bytes = private_bytes(pid)
        trial.note("private RAM of a process that stands by, bytes", held_bytes)
        trial.holds("it holds no more RAM than is kept for one", held_bytes <= STANDBY_BYTES)


def outcome(manager: Manager, name: str, text: str) -> str:
    """What became of a long answer: "whole", or the kind and words of its error."""
    request = ChatRequest((Message("user", text),), GenerationOptions(max_new_tokens=2000, seed=1))
    try:
        for _ in manager.ask(name, request):
            pass
    except LauncherError as error:
        return f"{type(error).__name__}: {error}"
    return "whole"


def is_clear(told: str) -> bool:
    return told.startswith((EngineBroken.__name__, WorkerDied.__name__))


def assertion(trial: Trial, out: Path, folder: Path) -> None:
    table.register(ASSERTING)
    for name, engine in ENGINES.items():
        if name == "tiny-chat":  # on the same engine as the first
            continue
        with managed(name, out, engine=ASSERTING.name) as manager:
            before = answers(manager, name, folder)
            pid = manager._processes.pids()[name]
            with ThreadPoolExecutor(4) as people:
                told = [people.submit(outcome, manager, name, f"Tell a story about {n}.") for n in range(3)]
                told.append(people.submit(outcome, manager, name, ASSERT))
                outcomes = [each.result(WAIT_S) for each in told]
            trial.note(f"{engine}: what four people were told", outcomes)
            *others, asserted = outcomes
            trial.holds(f"{engine}: who asked was told clearly", is_clear(asserted))
            # a short answer may have been whole before the kernel ran
            trial.holds(
                f"{engine}: so were the others", all(one == "whole" or is_clear(one) for one in others)
            )
            trial.holds(f"{engine}: the next answers are as before", answers(manager, name, folder) == before)
            trial.holds(f"{engine}: from another process", manager._processes.pids()[name] != pid)


def compiling(trial: Trial, out: Path, folder: Path, kills: int) -> None:
    """The first load, which nobody disturbs, says how long it takes and what is right."""
    name = COMPILES
    with compiled_nowhere(), managed(name, out) as manager:
        begun_s = time.monotonic()
        manager.ensure_ready(name)
        load_s = time.monotonic() - begun_s
        trial.note("seconds of loading", load_s)
        right = answers(manager, name, folder)
    for kill in range(kills):
        share = (kill + 0.5) / kills
        with compiled_nowhere(), managed(name, out) as manager:
            killed_while_loading(trial, manager, f"killed at {share:.2f} of loading", share * load_s)
            trial.holds(f"killed at {share:.2f}: right afterwards", answers(manager, name, folder) == right)


def killed_while_loading(trial: Trial, manager: Manager, what: str, after_s: float) -> None:
    """Leaves the model loading again or loaded."""
    name = COMPILES
    ends_s = time.monotonic() + after_s
    manager.wake(name)
    wait_until(manager, lambda: name in manager._processes.pids())
    pid = manager._processes.pids()[name]
    time.sleep(max(0.0, ends_s - time.monotonic()))
    os.kill(pid, signal.SIGKILL)
    noticed = wait_until(manager, lambda: manager._processes.pids().get(name) != pid)
    trial.holds(f"{what}: it is noticed", noticed)
    trial.holds(f"{what}: nothing of it lives on", not left_of(pid))
    manager.ensure_ready(name)


@contextmanager
def compiled_nowhere() -> Iterator[None]:
    """Workers begin with an empty cache of compiled kernels."""
    with (
        TemporaryDirectory(prefix="launcher-compiled-") as folder,
        _environment({"TRITON_CACHE_DIR": folder}),
    ):
        yield


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def left_of(pid: int) -> list[int]:
    """Processes of the group that the killed one led."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == pid and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=["standby", "assertion", "compiling"])
    parser.add_argument("--kills", type=int, default=4)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    trial = Trial(arguments.out / "sudden_ends.json")
    with TemporaryDirectory() as folder:
        if "standby" in arguments.parts:
            standby(trial, arguments.out)
        if "assertion" in arguments.parts:
            assertion(trial, arguments.out, Path(folder))
        if "compiling" in arguments.parts:
            compiling(trial, arguments.out, Path(folder), arguments.kills)
    print("\n".join(f"FAIL {line}" for line in trial.found["failed"]) or "ok")
    return int(bool(trial.found["failed"]))


if __name__ == "__main__":
    sys.exit(main())
