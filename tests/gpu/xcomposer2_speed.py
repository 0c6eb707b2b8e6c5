"""XComposer2 at full size with random weights on a card of 8 GiB: memory against the plan, first token,
decode speed.

    python3 -m tests.gpu.xcomposer2_speed (--checkpoints FOLDER | --written FOLDER) --out DIR [--free-gib 8]

FOLDER holds the folders internlm-xcomposer2-vl-1_8b and internlm2-chat-1_8b with config and tokenizer files,
and if --written the weights too. One after the other, each in a process of its own and while a ballast holds
all but 8 GiB of the GPU: InternLM2-Chat, XComposer2, and the same with PLoRA switched off, all on LMDeploy's
PyTorch engine with launcher's own plan. About two minutes once LMDeploy's kernels are compiled. Writes
DIR/xcomposer2_speed.json. Ends with 1 when decoding is below 0.95 of InternLM2-Chat's, or more memory was
taken than planned.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pynvml
import torch
from PIL import Image

from launcher import models
from launcher.families import model_sizes
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.models import internlm2, xcomposer2
from launcher.presets import read_presets
from tests.gpu.card import Ballast, Gpu

XCOMPOSER2, INTERNLM2 = "internlm-xcomposer2-vl-1_8b", "internlm2-chat-1_8b"
CHILD_LIMIT_S = 150
NEW_TOKENS = 256
REPEATS = 5
PICTURE_PROMPT_TOKENS = 1238
LEAST_SHARE = 0.95
KINDS = ("text of 1,238 tokens", "short text", "picture")
PRESETS = Path(__file__).resolve().parents[2] / "presets"


def write_random(source: Path, folder: Path, shapes: dict[str, torch.Size]) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    for file in source.iterdir():
        shutil.copy(file, folder)
    generator = torch.Generator("cuda").manual_seed(0)

    def weight(name: str, shape: torch.Size) -> torch.Tensor:
        if len(shape) == 1:
            return torch.full(shape, float(name.endswith("weight")), dtype=torch.bfloat16)
        return (torch.randn(shape, generator=generator, device="cuda", dtype=torch.bfloat16) * 0.02).cpu()

    tensors = {name: weight(name, shape) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def published_shapes(source: Path) -> dict[str, torch.Size]:
    with torch.device("meta"):
        if source.name == XCOMPOSER2:
            config = xcomposer2.XComposer2Config.from_pretrained(source)
            return {
                name: w.shape
                for name, w in xcomposer2.published_tensors(xcomposer2.build_model(config)).items()
            }
        model = internlm2.build_model(internlm2.InternLM2Config.from_pretrained(source))
        return {name: w.shape for name, w in internlm2.published_tensors(model).items()}


# --- in a process of its own ---


class Watch:
    """The most that this card held since the beginning, sampled every 5 ms."""

    def __init__(self) -> None:
        pynvml.nvmlInit()
        self._gpu = pynvml.nvmlDeviceGetHandleByIndex(int(os.environ.get("CUDA_VISIBLE_DEVICES", "0")))
        self.before = self.used()
        self.most = self.before
        threading.Thread(target=self._sample, daemon=True).start()

    def used(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._gpu).used)

    def _sample(self) -> None:
        while True:
            self.most = max(self.most, self.used())
            time.sleep(0.005)

    def taken_gib(self) -> float:
        return (self.used() - self.before) / GIB

    def peak_gib(self) -> float:
        return (self.most - self.before) / GIB


def make_plan(name: str, folder: Path, free_bytes: int) -> MemoryPlan:
    memory = next(p.memory for p in read_presets([PRESETS]).presets if p.name == name)
    config = json.loads((folder / "config.json").read_text())
    return plan_memory(memory, model_sizes(config), "pytorch", Card(free_bytes, free_bytes))


def measure(name: str, folder: Path, free_gib: float, partial_lora: bool) -> dict[str, Any]:
    watch, started = Watch(), time.perf_counter()
    os.environ.setdefault("LMDEPLOY_ENABLE_CHECK_ENV", "0")
    os.environ.setdefault("TRITON_CACHE_DIR", str(Path.home() / ".triton" / "cache"))
    from lmdeploy import ChatTemplateConfig, pipeline

    from launcher.engines.lmdeploy_settings import pytorch_config
    from launcher.models import xcomposer2_lmdeploy

    models.register()
    xcomposer2_lmdeploy.register()
    imported_s = time.perf_counter() - started
    plan = make_plan(name, folder, int(free_gib * GIB))
    config = dataclasses.replace(pytorch_config(plan), enable_prefix_caching=False)
    if not partial_lora:
        config.hf_overrides = {"plora_scale": 0.0}
    template = ChatTemplateConfig(model_name="base", meta_instruction="")
    pipe = pipeline(str(folder), backend_config=config, chat_template_config=template, log_level="ERROR")
    found: dict[str, Any] = {
        "imported_s": imported_s,
        "loaded_s": time.perf_counter() - started,
        "loaded_gib": watch.taken_gib(),
        "planned_gib": plan.total_bytes / GIB,
        "plan_gib": {part.name: round(part.size_bytes / GIB, 3) for part in plan.parts},
        "session_tokens": plan.session_tokens,
    }
    questions = dict(
        zip(KINDS, (long_text(pipe), [{"role": "user", "content": "Hello, who are you?"}]), strict=False)
    )
    if name == XCOMPOSER2:
        questions[KINDS[2]] = picture_question(Image.effect_noise((640, 480), 90).convert("RGB"))
    for kind, question in questions.items():
        runs = [one_run(pipe, question) for _ in range(REPEATS + 1)][1:]
        found[kind] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"{name}, {time.perf_counter() - started:.0f} s: {kind}: {figures(found[kind])}", flush=True)
    found["peak_gib"] = watch.peak_gib()
    return found


def picture_question(picture: Image.Image) -> list[dict[str, Any]]:
    content = [
        {"type": "text", "text": "[UNUSED_TOKEN_146]user\n"},
        {"type": "image_data", "image_data": {"data": picture}},
        {"type": "text", "text": "What is in the picture?[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]assistant\n"},
    ]
    return [{"role": "user", "content": content}]


def long_text(pipe: Any) -> list[dict[str, Any]]:
    text = "word " * (PICTURE_PROMPT_TOKENS * 2)
    ids = pipe.async_engine.tokenizer.encode(text, add_bos=True)[:PICTURE_PROMPT_TOKENS]
    return [{"role": "user", "content": pipe.async_engine.tokenizer.decode(ids[1:])}]


def one_run(pipe: Any, question: list[dict[str, Any]]) -> dict[str, float]:
    from lmdeploy import GenerationConfig

    config = GenerationConfig(max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, ignore_eos=True, top_k=1)
    began, times, last = time.perf_counter(), [], None
    for out in pipe.stream_infer(question, gen_config=config, do_preprocess=False):
        times.append(time.perf_counter())
        last = out
    assert last is not None
    new, prompt = last.generate_token_len, last.input_token_len
    return {
        "prompt_tokens": prompt,
        "new_tokens": new,
        "first_token_ms": 1000 * (times[0] - began),
        "decode_tokens_s": (new - 1) / (times[-1] - times[0]),
    }


# --- here ---


def run_child(name: str, folder: Path, free_gib: float, partial_lora: bool, out: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "tests.gpu.xcomposer2_speed",
        "--child",
        name,
        "--folder",
        str(folder),
        "--out",
        str(out),
    ]
    command += ["--free-gib", str(free_gib)] + ([] if partial_lora else ["--no-partial-lora"])
    try:
        code = subprocess.run(command, timeout=CHILD_LIMIT_S, check=False).returncode
    except subprocess.TimeoutExpired:
        code = -1
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"failed": code}
    return found


def figures(kind: dict[str, float]) -> str:
    return f"{kind['first_token_ms']:.0f} ms, {kind['decode_tokens_s']:.0f} tokens/s"


def table(results: dict[str, Any]) -> str:
    """First token and decode speed of each, and its peak memory beside the plan."""
    rows = [["", *results]]
    for kind in KINDS:
        rows.append([kind, *(figures(found[kind]) if kind in found else "-" for found in results.values())])
    peaks = [
        f"{r['peak_gib']:.2f} of {r['planned_gib']:.2f} GiB" if "peak_gib" in r else "failed"
        for r in results.values()
    ]
    rows.append(["peak of plan", *peaks])
    return "\n".join("  ".join(cell.ljust(24) for cell in row).rstrip() for row in rows)


def verdict(results: dict[str, Any]) -> list[str]:
    """What is wrong with the figures; empty when all is well."""
    wrong = [
        f"{name} failed with code {found['failed']}" for name, found in results.items() if "failed" in found
    ]
    if wrong:
        return wrong
    ours, theirs = results["xcomposer2"], results["internlm2"]
    for kind in KINDS[:2]:
        share = ours[kind]["decode_tokens_s"] / theirs[kind]["decode_tokens_s"]
        print(f"decode, {kind}: {share:.3f} of InternLM2-Chat's")
        if share < LEAST_SHARE:
            wrong.append(f"decode, {kind}: {share:.3f}")
    share = ours[KINDS[2]]["decode_tokens_s"] / theirs[KINDS[0]]["decode_tokens_s"]
    print(f"decode after a picture: {share:.3f} of InternLM2-Chat's after as much text")
    if share < LEAST_SHARE:
        wrong.append(f"decode after a picture: {share:.3f}")
    wrong += [
        f"{name}: peak {r['peak_gib']:.2f} GiB, planned {r['planned_gib']:.2f}"
        for name, r in results.items()
        if r["peak_gib"] > r["planned_gib"]
    ]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--written", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--free-gib", type=float, default=8)
    parser.add_argument("--child")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-partial-lora", action="store_true")
    args = parser.parse_args()
    models.register()
    if args.child:
        args.out.write_text(
            json.dumps(measure(args.child, args.folder, args.free_gib, not args.no_partial_lora))
        )
        os._exit(0)  # the GPU is given back with the process
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        folders = {name: (args.written or Path(work)) / name for name in (XCOMPOSER2, INTERNLM2)}
        for name, folder in folders.items():
            if args.written is None:
                write_random(args.checkpoints / name, folder, published_shapes(args.checkpoints / name))
        torch.cuda.empty_cache()
        tasks = {
            "internlm2": (INTERNLM2, True),
            "xcomposer2": (XCOMPOSER2, True),
            "xcomposer2, PLoRA off": (XCOMPOSER2, False),
        }
        with Ballast(Gpu(), args.free_gib):
            for title, (name, partial_lora) in tasks.items():
                results[title] = run_child(
                    name, folders[name], args.free_gib, partial_lora, Path(work) / f"{len(results)}.json"
                )
                print(title, json.dumps(results[title]), flush=True)
                (args.out / "xcomposer2_speed.json").write_text(json.dumps(results, indent=1))
    print(table(results))
    wrong = verdict(results)
    print("\n".join(f"FAIL {line}" for line in wrong) or "ok")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
