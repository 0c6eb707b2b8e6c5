"""Takes every figure that the memory plan and the LMDeploy engine are judged by, in one call on a machine
with a large GPU.

    python3 -m tests.gpu.measure --out DIR [--kit DIR] [--minutes 8.5] [--only NAME...] [--list]

Each step is a process of its own (``measure_one.py``) with a bounded time and bounded output, so that a hang
or a crash costs that step alone. A ballast process leaves only N GiB of the card free, so that it behaves
like a card of N GiB. This process never touches the GPU but for NVML, with which it samples what the step
takes.

Writes DIR/measure.json (rewritten after every step), DIR/summary.txt and DIR/logs.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.gpu.card import MIB, Ballast, Gpu, Sampler, wait_until

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOG_HEAD, LOG_TAIL = 60_000, 30_000
FULL_SIZE = ("internvl2-2b", "internlm2-chat-1_8b", "internlm-xcomposer2-vl-1_8b")
BUILTIN = ("shapes-internvl2", "tiny-chat", "shapes-xcomposer2")


@dataclass
class Step:
    """One process to run. ``free_gib`` None: the whole card. Steps that share ``together`` run side by
    side."""

    name: str
    model: str
    engine: str
    scenario: str
    free_gib: float | None = None
    limit_s: float = 60.0
    together: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


def steps() -> list[Step]:
    """Everything to measure, the most important first."""
    truth = [
        Step(f"truth {model} {engine}", model, engine, "truth", None, limit, together="truth")
        for model in BUILTIN
        for engine, limit in (("turbomind", 120), ("pytorch", 150), ("transformers", 200))
        if (model, engine) != ("shapes-xcomposer2", "turbomind")
    ]
    vl, text, xcomposer = FULL_SIZE
    return [
        *truth,
        Step("internvl2-2b turbomind 8", vl, "turbomind", "full", 8, 90),
        Step("internlm2 turbomind 8", text, "turbomind", "full", 8, 60),
        Step("internvl2-2b pytorch 8", vl, "pytorch", "full", 8, 120),
        *(Step(f"internvl2-2b turbomind {gib}", vl, "turbomind", "card", gib, 45) for gib in (6, 12, 24, 80)),
        Step(
            "tutorial's settings, 8",
            vl,
            "turbomind",
            "card",
            8,
            45,
            settings={"memory": {"session_tokens": 8192}},
        ),
        Step("plan for 8, only 5 free", vl, "turbomind", "card", 5, 40, settings={"card_gib": 8}),
        Step("no plan: the warm-up that spins", vl, "turbomind", "spin", 8, 60),
        Step("internlm2 pytorch 8", text, "pytorch", "full", 8, 100),
        Step("xcomposer2 pytorch 8", xcomposer, "pytorch", "full", 8, 100),
        Step(
            "prefill 1024", vl, "turbomind", "card", 12, 40, settings={"plan": {"max_prefill_tokens": 1024}}
        ),
        Step(
            "prefill 4096", vl, "turbomind", "card", 12, 40, settings={"plan": {"max_prefill_tokens": 4096}}
        ),
        Step("batch 1", vl, "turbomind", "card", 12, 40, settings={"plan": {"max_batch": 1}}),
        Step("kv 4 bits, 6", vl, "turbomind", "card", 6, 40, settings={"memory": {"kv_bits": 4}}),
        *(Step(f"internlm2 turbomind {gib}", text, "turbomind", "card", gib, 40) for gib in (6, 24)),
    ]


class Output:
    """Reads a process's output for ever and keeps its beginning and its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.head, self.tail, self.total = bytearray(), bytearray(), 0
        self._thread = threading.Thread(target=self._follow, args=(process.stdout,), daemon=True)
        self._thread.start()

    def _follow(self, stream: Any) -> None:
        while piece := os.read(stream.fileno(), 65536):
            self.total += len(piece)
            room = LOG_HEAD - len(self.head)
            self.head += piece[: max(0, room)]
            self.tail = (self.tail + piece[max(0, room) :])[-LOG_TAIL:]

    def text(self) -> str:
        self._thread.join(2)
        dropped = self.total - len(self.head) - len(self.tail)
        middle = f"\n… {dropped} bytes left out …\n" if dropped > 0 else ""
        return self.head.decode(errors="replace") + middle + self.tail.decode(errors="replace")


def write_checkpoints(chosen: list[Step], kit: Path, folder: Path) -> dict[str, subprocess.Popen[bytes]]:
    """Those full-size random checkpoints that the steps need, written side by side."""
    running = {}
    for name in {step.model for step in chosen} & set(FULL_SIZE):
        command = [
            sys.executable,
            str(kit / "random_checkpoint.py"),
            str(kit / "checkpoints" / name),
            str(folder / name),
        ]
        running[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    return running


def run_together(
    group: list[Step], folders: dict[str, Path], gpu: Gpu, deadline: float, logs: Path
) -> list[dict[str, Any]]:
    """Runs steps side by side; each ends by itself, or is killed at its limit."""
    sampler = Sampler(gpu)
    running = []
    for step in group:
        result_path = _result_path(step)
        result_path.unlink(missing_ok=True)
        task = json.dumps(
            {**asdict(step), "folder": str(folders[step.model]), "result_path": str(result_path)}
        )
        process = subprocess.Popen(
            [sys.executable, "-u", str(HERE / "measure_one.py"), task],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
                "TM_LOG_LEVEL": _tm_log_level(step),
            },
        )
        running.append((step, process, Output(process), time.monotonic()))
    results = []
    for step, process, output, started in running:
        end = min(started + step.limit_s, deadline)
        try:
            process.wait(max(0.1, end - time.monotonic()))
            ended = f"exit {process.returncode}"
        except subprocess.TimeoutExpired:
            ended = "killed at the limit"
        with_seconds = time.monotonic() - started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        results.append(
            {
                **asdict(step),
                "ended": ended,
                "wall_s": round(with_seconds, 1),
                **_read(output.text(), step, logs),
            }
        )
    wait_until(lambda: gpu.used_bytes() <= sampler.baseline_bytes + 64 * MIB, 10)
    sampled = sampler.finish()
    for result in results:
        result["sampled"] = sampled
    return results


def _tm_log_level(step: Step) -> str:
    return (
        "INFO" if step.scenario in ("card", "spin") else "WARNING"
    )  # INFO says the cache's size, and slows answers down


def _result_path(step: Step) -> Path:
    return (
        Path(tempfile.gettempdir())
        / f"launcher-measure-{os.getpid()}-{re.sub(r'[^a-z0-9]+', '-', step.name)}.json"
    )


def _read(text: str, step: Step, logs: Path) -> dict[str, Any]:
    """The step's own result, as far as it came, and what TurboMind logged about its memory."""
    with logs.open("a", encoding="utf-8") as file:
        file.write(f"\n===== {step.name} =====\n{text}")
    try:
        result = json.loads(_result_path(step).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        result = {"failed": f"no result: {error!r}"}
    budget = re.search(r"Object cache budget: ([\d.]+) MB from \w+ ([\d.]+) MB and ratio ([\d.]+)", text)
    slab = re.findall(r"slab_size (\d+), object_size (\d+), object_count (\d+)", text)
    log = (
        {"cache_mib": float(budget[1]), "free_mib": float(budget[2]), "ratio": float(budget[3])}
        if budget
        else {}
    )
    return {"result": result, "turbomind_log": {**log, "slabs": slab[:4]} if log or slab else {}}


def summary(results: list[dict[str, Any]]) -> str:
    """One paragraph a step."""
    lines = []
    for each in results:
        result = each["result"]
        lines.append(
            f"{each['name']}: {each['ended']} after {each['wall_s']} s, GPU peak"
            f" {each['sampled']['gpu_peak_mib']:.0f} MiB"
        )
        for key in ("failed", "load_s", "plan", "memory", "checks", "truth"):
            if key in result:
                lines.append(f"    {key}: {json.dumps(result[key], ensure_ascii=False)[:1800]}")
        if each["turbomind_log"]:
            lines.append(f"    log: {json.dumps(each['turbomind_log'])}")
    return "\n".join(lines) + "\n"


def compare_truth(results: list[dict[str, Any]]) -> list[str]:
    """Right answers by engine, and how many of each LMDeploy engine's texts are the transformers engine's."""
    lines = []
    for model in BUILTIN:
        answers = {
            e["engine"]: e["result"].get("answers", [])
            for e in results
            if e["scenario"] == "truth" and e["model"] == model
        }
        reference = {tuple(a["key"]): a for a in answers.get("transformers", [])}
        for engine, given in answers.items():
            if not given:
                continue
            right = sum(a["right"] for a in given)
            both = [(a, reference[tuple(a["key"])]) for a in given if tuple(a["key"]) in reference]
            same = sum(a["text"] == b["text"] for a, b in both)
            lines.append(
                f"{model} {engine}: right {right}/{len(given)}, same text as transformers {same}/{len(both)}"
            )
            lines += [
                f"    {a['key']}: {a['text']!r} | {b['text']!r} | right: {a['answer']!r}"
                for a, b in both
                if a["text"] != b["text"]
            ][:20]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "measured")))
    parser.add_argument("--kit", type=Path, default=ROOT / ".kit")
    parser.add_argument("--checkpoints", type=Path, default=_roomy_folder() / "launcher-checkpoints")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--only", nargs="*", default=[], help="steps whose name contains one of these")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [s for s in steps() if not options.only or any(word in s.name for word in options.only)]
    if options.list:
        print("\n".join(step.name for step in chosen))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    _measure(chosen, options, time.monotonic() + 60 * options.minutes)


def _measure(chosen: list[Step], options: argparse.Namespace, deadline: float) -> None:
    gpu = Gpu()
    ballast, free_gib = ExitStack(), None
    logs, results = options.out / "logs.txt", []
    folders = {name: options.checkpoints / name for name in FULL_SIZE}
    folders |= {name: ROOT / "launcher" / "demo" / "checkpoints" / name for name in BUILTIN}
    writing = write_checkpoints(chosen, options.kit, options.checkpoints)
    for wanted in _groups(chosen):
        group = [
            step
            for step in wanted
            if step.model in FULL_SIZE or (folders[step.model] / "config.json").is_file()
        ]
        if not group or time.monotonic() > deadline - 15:
            continue
        if any(step.model in FULL_SIZE for step in group):
            for process in writing.values():
                process.wait()
        try:
            if group[0].free_gib != free_gib:  # changing it costs a few seconds
                ballast.close()
                free_gib = None
                if group[0].free_gib is not None:
                    ballast.enter_context(Ballast(gpu, group[0].free_gib))
                free_gib = group[0].free_gib
            results += run_together(group, folders, gpu, deadline, logs)
        except Exception as error:  # noqa: BLE001 - a step must not cost the others
            nothing = {"wall_s": 0, "result": {}, "turbomind_log": {}, "sampled": {"gpu_peak_mib": 0}}
            results += [{**asdict(s), "ended": f"not run: {error!r}", **nothing} for s in group]
        _write(options.out, gpu, results)
        for each in results[-len(group) :]:
            print(f"{each['name']}: {each['ended']}, {each['wall_s']} s", flush=True)
    ballast.close()
    print(summary(results)[-6000:] + "\n".join(compare_truth(results))[:4000])


def _roomy_folder() -> Path:
    """Memory rather than disk where there is room for three models of 4 GB."""
    memory = Path("/dev/shm")
    return (
        memory
        if memory.is_dir() and shutil.disk_usage(memory).free > 16 * 2**30
        else Path(tempfile.gettempdir())
    )


def _groups(chosen: list[Step]) -> list[list[Step]]:
    groups: list[list[Step]] = []
    for step in chosen:
        if groups and step.together and groups[-1][0].together == step.together:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _write(out: Path, gpu: Gpu, results: list[dict[str, Any]]) -> None:
    (out / "measure.json").write_text(
        json.dumps({"gpu": gpu.facts(), "steps": results}, ensure_ascii=False, indent=1)
    )
    (out / "summary.txt").write_text(
        summary(results) + "\n".join(compare_truth(results)) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
