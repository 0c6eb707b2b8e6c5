"""One step of ``measure.py``: loads one model with one engine, asks it what its scenario says, and writes
what it saw.

Usage: python3 measure_one.py JSON. The result file is rewritten after everything that is worth keeping, so
that a hang or a kill later on loses nothing. Scenarios: "truth" (known answers of the built-in models),
"full" (everything about one model on one card), "card" (load, largest picture, full session), "spin" (no
plan: the load limit must end it).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "OMP_NUM_THREADS", "4"
)  # as in a worker, where the engine sets it before PyTorch is imported

import pynvml
from PIL import Image, ImageDraw

from launcher.checkpoints import read_facts
from launcher.demo.conversations import draw_conversation, right
from launcher.demo.judging import judge
from launcher.demo.known_answers import held_out_cases
from launcher.demo.pictures import encode
from launcher.engine_costs import COSTS, MIB
from launcher.engines.base import Engine, EngineSpec
from launcher.engines.table import engine_class, find
from launcher.errors import LauncherError
from launcher.families import ModelSizes, model_sizes
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import BilingualText, MemorySettings, Preset, read_presets

PICTURES = 40
CONVERSATIONS = 120
USERS = 8


Case = tuple[list[Any], tuple[Message, ...], str, Callable[[str], bool]]
"""What tells it apart, what is asked, what is right, and whether an answer is."""


class Step:
    """The task, its result so far, and the folder for its pictures."""

    def __init__(self, task: dict[str, Any], folder: Path) -> None:
        self.task, self.folder = task, folder
        self.result: dict[str, Any] = {"memory": {}, "checks": {}}
        pynvml.nvmlInit()
        self._gpu = pynvml.nvmlDeviceGetHandleByIndex(int(os.environ.get("CUDA_VISIBLE_DEVICES", "0")))
        self.baseline_bytes = self.used_bytes()

    def used_bytes(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._gpu).used)

    def free_bytes(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._gpu).free)

    def mark(self, name: str) -> None:
        """What the card holds now above the beginning, in MiB."""
        self.result["memory"][name] = round((self.used_bytes() - self.baseline_bytes) / MIB, 1)
        self.write()

    def check(self, name: str, value: Any) -> None:
        self.result["checks"][name] = value
        self.write()

    def write(self) -> None:
        path = Path(self.task["result_path"])
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(self.result, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)


def preset_for(task: dict[str, Any]) -> Preset:
    """The launcher's own preset of this name, or a plain one; the step may change its memory settings."""
    found = [preset for preset in read_presets().presets if preset.name == task["model"]]
    plain = Preset(
        name=task["model"],
        title=BilingualText(en="-", zh="-"),
        kind="vision" if "vl" in task["model"] else "text",
        sources=("builtin:none",),
    )
    preset = found[0] if found else plain
    memory = MemorySettings(**{**preset.memory.model_dump(), **task["settings"].get("memory", {})})
    return preset.model_copy(update={"memory": memory})


def make_plan(step: Step, preset: Preset, sizes: ModelSizes) -> MemoryPlan | None:
    """The plan for what is free on the card now, or for the card that the step names."""
    if step.task["engine"] == "transformers":
        return None
    card_gib = step.task["settings"].get("card_gib")
    free_bytes = int(card_gib * GIB) if card_gib else step.free_bytes()
    plan = plan_memory(preset.memory, sizes, step.task["engine"], Card(free_bytes, free_bytes))
    plan = dataclasses.replace(plan, **step.task["settings"].get("plan", {}))
    step.result["plan"] = {
        "card_mib": free_bytes // MIB,
        "total_mib": plan.total_bytes // MIB,
        "parts_mib": {part.name: round(part.size_bytes / MIB, 1) for part in plan.parts},
        **{
            name: getattr(plan, name)
            for name in (
                "cache_ratio",
                "cache_tokens",
                "kv_bits",
                "session_tokens",
                "max_prefill_tokens",
                "max_batch",
                "max_tiles",
            )
        },
        "changes": [str(change) for change in plan.changes],
    }
    step.write()
    return plan


def watch_turbomind(step: Step) -> None:
    """Marks the card's use around TurboMind's own stages, to tell weights, cache and scratch apart."""
    from lmdeploy.turbomind.turbomind import TurboMind

    for name in ("_create_weight", "_process_weights", "_create_engine"):
        setattr(TurboMind, name, _marked(step, name, getattr(TurboMind, name)))


def _marked(step: Step, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        step.mark(f"before {name}")
        found = method(*arguments, **keywords)
        step.mark(f"after {name}")
        return found

    return wrapper


def torch_memory() -> dict[str, float]:
    import torch

    stats = torch.cuda.memory_stats()
    keys = (
        "allocated_bytes.all.current",
        "allocated_bytes.all.peak",
        "reserved_bytes.all.current",
        "reserved_bytes.all.peak",
    )
    return {key: round(stats.get(key, 0) / MIB, 1) for key in keys}


async def ask(engine: Engine, messages: tuple[Message, ...], **options: Any) -> dict[str, Any]:
    """One answer: its text, how it ended and what it took, or the error as a person reads it."""
    started = time.perf_counter()
    text, finish, usage = "", None, None
    try:
        async for chunk in engine.stream(ChatRequest(messages, GenerationOptions(**options))):
            text += chunk.text
            finish, usage = chunk.finish or finish, chunk.usage or usage
    except LauncherError as error:
        return {"error": f"{type(error).__name__}: {error}", "s": round(time.perf_counter() - started, 3)}
    return {
        "text": text,
        "finish": finish,
        "usage": dataclasses.asdict(usage) if usage else None,
        "s": round(time.perf_counter() - started, 3),
    }


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """Short enough for the summary: random weights say nothing."""
    return {**answer, "text": answer["text"][:24]} if "text" in answer else answer


def picture(step: Step, width_px: int, height_px: int, seed: int = 0) -> Path:
    """A picture with something in it; ``seed`` makes it another one."""
    path = step.folder / f"{width_px}x{height_px}-{seed}.jpg"
    if not path.exists():
        image = Image.new("RGB", (width_px, height_px), (20 * seed % 255, 90, 200))
        draw = ImageDraw.Draw(image)
        for n in range(24):
            draw.ellipse(
                (
                    n * width_px // 24,
                    (n * 7 + seed) % 24 * height_px // 24,
                    (n + 2) * width_px // 24,
                    height_px,
                ),
                outline="white",
            )
        image.save(path)
    return path


def user(text: str, *pictures: Path) -> tuple[Message, ...]:
    return (Message("user", text, pictures),)


async def full_session(engine: Engine, plan: MemoryPlan) -> dict[str, Any]:
    """A conversation that fills the session to the last token but 40, and one that passes it."""
    word = "one two three four five six seven eight nine ten "  # ten tokens, or a few more
    low, high, fitting = 1, plan.session_tokens, None
    while low < high:  # the longest that is still admitted, by the engine's own count
        middle = (low + high + 1) // 2
        answer = await ask(engine, user(word * (middle // 10)), max_new_tokens=1)
        tokens = (answer.get("usage") or {}).get("prompt_tokens", 10**9)
        if tokens <= plan.session_tokens - 40:
            low, fitting = middle, answer
        else:
            high = middle - 1
        if high - low < 16:
            break
    filled = await ask(engine, user(word * (low // 10)), max_new_tokens=512)
    over = await ask(engine, user(word * plan.session_tokens), max_new_tokens=16)
    return {"longest": shown(fitting or {}), "filled": shown(filled), "over": shown(over)}


async def many_users(engine: Engine, step: Step) -> dict[str, Any]:
    """Eight people at once, 128 tokens each."""
    started = time.perf_counter()
    answers = await asyncio.gather(
        *(ask(engine, user(f"Question {n}: tell a story."), max_new_tokens=128) for n in range(USERS))
    )
    seconds = time.perf_counter() - started
    tokens = sum((a.get("usage") or {}).get("new_tokens", 0) for a in answers)
    return {
        "tokens_per_s": round(tokens / seconds),
        "tokens": tokens,
        "errors": [a["error"] for a in answers if "error" in a][:2],
    }


async def stop_in_the_middle(engine: Engine) -> dict[str, Any]:
    """Stops a long answer after ten pieces; then LMDeploy must have nothing under way."""
    stream = engine.stream(
        ChatRequest(
            user("Write a long story."), GenerationOptions(max_new_tokens=1500, temperature=1.0, seed=1)
        )
    )
    pieces = 0
    async for _ in stream:
        pieces += 1
        if pieces == 10:
            break
    started = time.perf_counter()
    await stream.aclose()
    pool = engine._pipe.async_engine.session_mgr.request_handle_pool  # type: ignore[attr-defined]
    return {
        "stop_ms": round(1000 * (time.perf_counter() - started), 1),
        "pieces": pieces,
        "under_way": pool.num_dispatched,
    }


async def about_pictures(engine: Engine, step: Step) -> None:
    middle, large = picture(step, 900, 600), picture(step, 4000, 3000)
    step.check("picture 900x600", shown(await ask(engine, user("Describe it.", middle), max_new_tokens=64)))
    step.check(
        "the same picture again",
        shown(await ask(engine, user("What else is there?", middle), max_new_tokens=64)),
    )
    step.mark("after a picture")
    step.check("picture 4000x3000", shown(await ask(engine, user("Describe it.", large), max_new_tokens=512)))
    step.mark("after a large picture")
    five = tuple(picture(step, 900, 600, seed) for seed in range(5))
    step.check(
        "five pictures 900x600", shown(await ask(engine, user("Compare them.", *five), max_new_tokens=64))
    )
    small = tuple(picture(step, 200, 200, seed) for seed in range(5))
    step.check(
        "five pictures 200x200", shown(await ask(engine, user("Compare them.", *small), max_new_tokens=64))
    )
    two = await asyncio.gather(
        *(ask(engine, user("Describe it.", picture(step, 1200, 900, n)), max_new_tokens=64) for n in (7, 8))
    )
    step.check("two people with large pictures", [shown(each) for each in two])
    step.mark("after all pictures")


async def scenario_card(engine: Engine, step: Step, plan: MemoryPlan) -> None:
    if plan.picture:
        largest = picture(step, 4000, 3000)
        step.check(
            "picture 4000x3000", shown(await ask(engine, user("Describe it.", largest), max_new_tokens=512))
        )
    step.mark("after the picture")
    step.check("session", await full_session(engine, plan))
    step.mark("at the end")


async def scenario_full(engine: Engine, step: Step, plan: MemoryPlan) -> None:
    step.check("text", shown(await ask(engine, user("Tell me a story."), max_new_tokens=256)))
    step.check("text again", shown(await ask(engine, user("Tell me a story."), max_new_tokens=256)))
    step.mark("after text")
    if plan.picture:
        await about_pictures(engine, step)
    step.check("eight users", await many_users(engine, step))
    step.mark("after eight users")
    step.check("stop", await stop_in_the_middle(engine))
    step.check("session", await full_session(engine, plan))
    step.mark("at the end")
    if step.task["engine"] == "pytorch":
        step.result["torch_mib at the end"] = torch_memory()


async def scenario_truth(engine: Engine, step: Step) -> None:
    """Greedy answers to the known questions, eight at a time."""
    gate = asyncio.Semaphore(USERS)
    answers: list[dict[str, Any]] = []
    step.result["answers"] = answers
    cases = picture_cases(step) if "shapes" in step.task["model"] else chat_cases()

    async def one(
        key: list[Any], messages: tuple[Message, ...], expected: str, judge: Callable[[str], bool]
    ) -> None:
        async with gate:
            answer = await ask(engine, messages, max_new_tokens=96)
        text = answer.get("text", answer.get("error", "")).strip()
        answers.append({"key": key, "text": text, "answer": expected, "right": judge(text)})
        if len(answers) % 50 == 0:
            step.write()

    started = time.perf_counter()
    await asyncio.gather(*(one(*case) for case in cases))
    step.result["truth"] = {
        "right": sum(answer["right"] for answer in answers),
        "asked": len(answers),
        "s": round(time.perf_counter() - started, 1),
    }


def picture_cases(step: Step) -> list[Case]:
    cases: list[Case] = []
    for case in held_out_cases(PICTURES):
        path = step.folder / f"scene-{case.scene.seed}"
        if not path.exists():
            path.write_bytes(encode(case.scene))
        question = case.question
        is_right = functools.partial(judge, question)
        cases.append(
            (
                [case.scene.seed, question.kind, question.language, question.text],
                user(question.text, path),
                question.answer,
                is_right,
            )
        )
    return cases


def chat_cases() -> list[Case]:
    """Every turn after the right turns before it, so that one wrong answer does not spoil the rest."""
    cases: list[Case] = []
    for seed in range(1 << 40, (1 << 40) + CONVERSATIONS):
        history: tuple[Message, ...] = ()
        for number, turn in enumerate(draw_conversation(seed)):
            asked = (*history, Message("user", turn.text))
            cases.append(
                ([seed, number, turn.kind, turn.text], asked, turn.answer, functools.partial(right, turn))
            )
            history = (*asked, Message("assistant", turn.answer))
    return cases


async def run(step: Step) -> None:
    task, folder = step.task, Path(step.task["folder"])
    preset, facts = preset_for(task), read_facts(folder)
    sizes = model_sizes(facts.config, facts.loaded_tensor_bytes)
    plan = make_plan(step, preset, sizes)
    if task["engine"] == "turbomind":
        watch_turbomind(step)
    if plan is not None:
        import torch

        torch.cuda.mem_get_info()
        step.mark("CUDA context")
    engine = engine_class(find(task["engine"]).runs)(
        EngineSpec(task["engine"], preset, folder, task["settings"].get("device", "cuda:0"), plan)
    )
    started = time.perf_counter()
    await engine.prepare()
    step.result["prepare_s"] = round(time.perf_counter() - started, 2)
    started = time.perf_counter()
    facts_loaded = await engine.load(lambda stage, fraction: step.mark(f"progress {fraction:.2f} {stage}"))
    step.result["load_s"] = round(time.perf_counter() - started, 2)
    step.result["facts"] = dataclasses.asdict(facts_loaded)
    step.mark("loaded")
    if task["engine"] == "pytorch":
        step.result["torch_mib loaded"] = torch_memory()
    if task["scenario"] == "truth":
        await scenario_truth(engine, step)
    elif plan is not None:
        await (scenario_full if task["scenario"] == "full" else scenario_card)(engine, step, plan)
    step.write()
    await engine.close()
    step.mark("closed")


async def spin(step: Step) -> None:
    """The tutorial's settings without a plan: the load limit, shortened, must end what never ends by
    itself."""
    from launcher.engines import lmdeploy

    lmdeploy.LOAD_LIMIT_S["turbomind"] = 25.0
    folder = Path(step.task["folder"])
    preset, sizes = preset_for(step.task), model_sizes(read_facts(folder).config)
    plan = plan_memory(preset.memory, sizes, "turbomind", Card(12 * GIB, 12 * GIB))
    small = [
        dataclasses.replace(part, size_bytes=300 * MIB) if part.name == "kv_cache" else part
        for part in plan.parts
    ]
    plan = dataclasses.replace(
        plan, parts=tuple(small), kv_bits=16, session_tokens=8192, max_prefill_tokens=8192
    )
    engine = engine_class(find("turbomind").runs)(EngineSpec("turbomind", preset, folder, "cuda:0", plan))
    started = time.perf_counter()
    try:
        await engine.prepare()
        await engine.load(lambda stage, fraction: step.mark(f"progress {fraction:.2f} {stage}"))
        step.check("load", "it loaded")
    except LauncherError as error:
        step.check("load", {"error": str(error), "s": round(time.perf_counter() - started, 1)})


def main() -> None:
    task = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        step = Step(task, Path(folder))
        step.result["costs"] = task["engine"] in COSTS and str(COSTS[task["engine"]])
        step.write()
        code = 0
        try:
            asyncio.run(spin(step) if task["scenario"] == "spin" else run(step))
        except LauncherError as error:
            step.result["failed"] = f"{type(error).__name__}: {error}"
        except BaseException:  # noqa: BLE001 - the end of the process
            traceback.print_exc()
            step.result["failed"] = traceback.format_exc()[-2000:]
            code = 1
        step.write()
    sys.stdout.flush()
    os._exit(code)  # LMDeploy's threads do not end by themselves


if __name__ == "__main__":
    main()
