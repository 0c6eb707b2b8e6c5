"""What it costs an engine that questions come one after the other, and not at one moment.

    python3 -m tests.gpu.arrivals --preset NAME [--users 32] [--tokens 512] [--runs 5]
                                  [--over-ms 0 25 50 100] [--gathered-ms 0 10 20]

The page hands the questions of 32 people who ask at one moment to the engine over 30 ms. Here the bare engine
is asked so: the questions come evenly over so long, each held until the next multiple of the second figure,
so that some begin together. Every run goes through all of it in turn; medians. ``later_ms``: from the first
question to the median answer's first text and end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import statistics
import time
from contextlib import aclosing
from dataclasses import replace

from launcher.bench.throughput import spec_of
from launcher.bench.workload import Workload
from launcher.devices import read_devices
from launcher.engines.base import Engine
from launcher.engines.table import engine_class, find
from launcher.messages import ChatRequest
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines


async def asked(engine: Engine, request: ChatRequest, after_s: float) -> tuple[float, float, int]:
    """Seconds to its first text and its end, and its tokens."""
    begun_s, first_s, tokens = time.perf_counter(), 0.0, 0
    await asyncio.sleep(after_s)
    async with aclosing(engine.stream(request)) as chunks:
        async for chunk in chunks:
            if chunk.text and not first_s:
                first_s = time.perf_counter() - begun_s
            tokens = chunk.usage.new_tokens if chunk.usage else tokens
    return first_s, time.perf_counter() - begun_s, tokens


async def measured(
    engine: Engine, requests: list[ChatRequest], over_s: float, gathered_s: float
) -> list[float]:
    """Tokens a second, and the medians of first text and end in milliseconds."""
    comes_s = [over_s * each / len(requests) for each in range(len(requests))]
    begins_s = [math.ceil(each / gathered_s) * gathered_s if gathered_s else each for each in comes_s]
    begun_s = time.perf_counter()
    answers = await asyncio.gather(*map(asked, itertools.repeat(engine), requests, begins_s))
    first_s, end_s, tokens = zip(*answers, strict=True)
    rate = sum(tokens) / (time.perf_counter() - begun_s)
    return [rate, 1000 * statistics.median(first_s), 1000 * statistics.median(end_s)]


async def main(args: argparse.Namespace) -> None:
    spec = spec_of(assess(read_presets().find(args.preset), read_devices(), installed_engines()))
    engine = engine_class(find(spec.engine).runs)(spec)
    await engine.prepare()
    await engine.load(lambda _stage, _fraction: None)
    work = Workload(args.tokens)
    options = replace(spec.preset.generation.options(), max_new_tokens=args.tokens)
    requests = [ChatRequest(work.conversation(each, args.tokens), options) for each in range(args.users)]
    ways = list(itertools.product(args.over_ms, args.gathered_ms))
    await measured(engine, requests, 0, 0)
    runs = [
        [await measured(engine, requests, over / 1000, gathered / 1000) for over, gathered in ways]
        for _ in range(args.runs)
    ]
    for (over, gathered), each in zip(ways, zip(*runs, strict=True), strict=True):
        rate, first, end = map(statistics.median, zip(*each, strict=True))
        later = f"later_ms {first:.0f} {end:.0f}"
        print(f"over {over:g} ms, gathered {gathered:g} ms: {rate:,.0f} tokens/s, {later}")
    await engine.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", required=True)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--over-ms", type=float, nargs="+", default=[0, 25, 50, 100])
    parser.add_argument("--gathered-ms", type=float, nargs="+", default=[0, 10, 20])
    asyncio.run(main(parser.parse_args()))
