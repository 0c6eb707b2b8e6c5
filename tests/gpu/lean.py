"""What the way from the engine's token to the launcher's process costs on a GPU, and how many are answered at
once.

    LAUNCHER_MODELS=FOLDER python3 -m tests.gpu.lean [--preset internvl2-2b] [--users 1 8 32 64]

Prints a line of JSON for each figure:

* ``plan``: what the card is planned for.
* ``manager``: tokens/s of so many people at once through the manager and the worker's process, and the median
  wait for the first token; medians of RUNS.
* ``picture``: first token of a question about a new picture, of a second question about it in the same
  conversation, and of another question about it in another one.
* ``killed``: from SIGKILL of the loaded model's process to the first token of the next question, while a
  spare process stands by; for models on a GPU alone.
* ``engine``: as ``manager``, the engine alone in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from PIL import Image

from launcher.devices import read_devices
from launcher.engines.base import Engine
from launcher.engines.table import engine_class, find
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import Readiness, assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import manager_of, runnable_models
from launcher.workers.states import ProcessState

RUNS = 3
Ask = Callable[[ChatRequest], AsyncIterator[Chunk]]


def say(what: str, **figures: object) -> None:
    print(json.dumps({"what": what, **figures}), flush=True)


def question(text: str, tokens: int, *before: Message, pictures: tuple[Path, ...] = ()) -> ChatRequest:
    return ChatRequest((*before, Message("user", text, pictures)), GenerationOptions(max_new_tokens=tokens))


async def one(ask: Ask, request: ChatRequest) -> tuple[int, float]:
    """How many tokens the answer had, and after how many seconds its first word came."""
    begun_s, first_s, tokens = time.perf_counter(), 0.0, 0
    async for chunk in ask(request):
        if chunk.text and not first_s:
            first_s = time.perf_counter() - begun_s
        if chunk.usage is not None:
            tokens = chunk.usage.new_tokens
    return tokens, first_s


async def crowd(ask: Ask, users: int, tokens: int, *pictures: Path) -> tuple[float, float]:
    """Tokens/s of so many people at once, who all show these pictures, and the median wait for the first
    word."""
    requests = [
        question(f"Tell me a long story about the number {n}.", tokens, pictures=pictures)
        for n in range(users)
    ]
    begun_s = time.perf_counter()
    answers = await asyncio.gather(*(one(ask, request) for request in requests))
    seconds = time.perf_counter() - begun_s
    return sum(each for each, _ in answers) / seconds, statistics.median(first_s for _, first_s in answers)


async def crowds(what: str, ask: Ask, arguments: argparse.Namespace) -> None:
    for users in arguments.users:
        await crowd(ask, users, 32)
        runs = [await crowd(ask, users, arguments.tokens) for _ in range(RUNS)]
        tokens_s, first_s = (statistics.median(column) for column in zip(*runs, strict=True))
        say(what, users=users, tokens_s=round(tokens_s), first_token_ms=round(1000 * first_s, 1))


async def about_a_picture(ask: Ask, folder: Path) -> None:
    times: list[list[float]] = [[], [], []]
    for run in range(RUNS):
        picture = folder / f"{run}.png"
        Image.effect_noise((900, 600), 40 + run).convert("RGB").save(picture)
        first = Message("user", "What is it?", (picture,))
        after = (first, Message("assistant", "Noise."))
        for at, request in enumerate(
            (
                question(first.text, 8, pictures=first.pictures),
                question("And how large is it?", 8, *after),
                question("Is it grey?", 8, pictures=first.pictures),
            )
        ):
            times[at].append((await one(ask, request))[1])
    first_ms, second_ms, other_ms = (round(1000 * statistics.median(each), 1) for each in times)
    say("picture", first_ms=first_ms, second_question_ms=second_ms, in_another_conversation_ms=other_ms)


def killed(manager: Manager, name: str) -> None:
    """The spare process is waited for, then the model's is killed."""
    version = 0
    while manager._scheduler._models[name].spare is not ProcessState.STANDING_BY:
        version = manager.wait_for_change(version, 120)
    pid = manager._processes.pids()[name]
    begun_s = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    while manager._processes.pids().get(name) == pid:
        version = manager.wait_for_change(version, 120)
    next(iter(manager.ask(name, question("Hello", 8))))
    say("killed", first_token_s=round(time.perf_counter() - begun_s, 2))


def through_the_manager(readiness: Readiness, arguments: argparse.Namespace, folder: Path) -> None:
    name = readiness.preset.name
    with manager_of([readiness], read_devices(), log_folder=folder / "logs") as manager:

        async def ask(request: ChatRequest) -> AsyncIterator[Chunk]:
            async with manager.ask(name, request) as answer:
                async for chunk in answer:
                    yield chunk

        manager.ensure_ready(name)
        asyncio.run(crowds("manager", ask, arguments))
        if readiness.preset.kind == "vision":
            asyncio.run(about_a_picture(ask, folder))
        if readiness.plan is not None:
            killed(manager, name)


async def engine_alone(readiness: Readiness, arguments: argparse.Namespace) -> None:
    (model,) = runnable_models([readiness])
    if isinstance(model.on, LauncherError):
        raise model.on
    spec = next(iter(model.on.values()))
    engine: Engine = engine_class(find(spec.engine).runs)(spec)
    await engine.prepare()
    await engine.load(lambda _stage, _fraction: None)
    await crowds("engine", engine.stream, arguments)
    await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="internvl2-2b")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--tokens", type=int, default=256)
    arguments = parser.parse_args()
    readiness = assess(read_presets().find(arguments.preset), read_devices(), installed_engines())
    if readiness.reason is not None:
        raise readiness.reason
    if (plan := readiness.plan) is not None:
        say("plan", at_once=plan.max_batch, cache_tokens=plan.cache_tokens, gib=plan.total_bytes / 2**30)
    with tempfile.TemporaryDirectory() as folder:
        through_the_manager(readiness, arguments, Path(folder))
    asyncio.run(engine_alone(readiness, arguments))


if __name__ == "__main__":
    main()
