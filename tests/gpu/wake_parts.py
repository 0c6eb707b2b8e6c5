"""What a waking of the PyTorch engine is made of: with LMDeploy's warm-up, which captures CUDA graphs for
every size of batch, and without it, so that each is captured when it is first needed.

    LAUNCHER_MODELS=FOLDER python3 -m tests.gpu.wake_parts [--preset internlm-xcomposer2-vl-1_8b] [--rounds 6]

Prints a line of JSON a way: medians of the waking itself, of the first token after it, of the sixteenth, of
eight answers of 16 tokens at once right after a waking and once more, and what the process holds of the GPU.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import defaultdict
from dataclasses import replace

from launcher.devices import read_devices
from launcher.engines.base import Engine
from launcher.engines.table import engine_class, find
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.runnable import runnable_models

_CROWD = 8


async def answer(engine: Engine, text: str) -> tuple[str, float, float]:
    """An answer of 16 tokens, and the seconds to its first text and to its end."""
    begun_s, first_s, said = time.perf_counter(), 0.0, ""
    request = ChatRequest((Message("user", text),), GenerationOptions(max_new_tokens=16))
    async for chunk in engine.stream(request):
        said += chunk.text
        if said and not first_s:
            first_s = time.perf_counter() - begun_s
    return said, first_s, time.perf_counter() - begun_s


async def crowd(engine: Engine) -> float:
    begun_s = time.perf_counter()
    await asyncio.gather(*(answer(engine, f"Tell me about the number {n}.") for n in range(_CROWD)))
    return time.perf_counter() - begun_s


async def woken(engine: Engine, times: dict[str, list[float]]) -> float:
    import torch

    await engine.sleep()
    begun_s = time.perf_counter()
    await engine.load(lambda _stage, _fraction: None)
    wake_s = time.perf_counter() - begun_s
    times["wake"].append(wake_s)
    free, total = torch.cuda.mem_get_info()
    times["held_gib"].append((total - free) / 2**30)
    return wake_s


async def measure(engine: Engine, rounds: int) -> None:
    from lmdeploy.pytorch import envs

    said = set()
    for skips in (False, True, False, True):
        envs.skip_warmup = skips
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            wake_s = await woken(engine, times)
            text, first_s, end_s = await answer(engine, "Tell me a story.")
            said.add(text)
            times["first_token"].append(wake_s + first_s)
            times["16_tokens"].append(wake_s + end_s)
            await woken(engine, times)
            times["crowd"].append(await crowd(engine))
            times["crowd_again"].append(await crowd(engine))
        figures = {what: round(statistics.median(each), 3) for what, each in times.items()}
        print(json.dumps({"warm_up": not skips, **figures, "answers": len(said)}), flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="internlm-xcomposer2-vl-1_8b")
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    preset = read_presets().find(arguments.preset)
    (model,) = runnable_models([assess(preset, read_devices(), installed_engines())])
    if isinstance(model.on, LauncherError):
        raise model.on
    spec = replace(next(iter(model.on.values())), makes_room=True)
    engine: Engine = engine_class(find(spec.engine).runs)(spec)
    await engine.prepare()
    await engine.load(lambda _stage, _fraction: None)
    await answer(engine, "Hello")
    await asyncio.sleep(4)  # the host copy of the weights is made while nobody is answered
    await measure(engine, arguments.rounds)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
