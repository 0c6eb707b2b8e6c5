"""An engine asked by many at one moment, in its own process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing

from launcher.bench.figures import Round, Timing
from launcher.engines.base import Engine
from launcher.messages import ChatRequest, Chunk


async def ask_at_once(engine: Engine, requests: Sequence[ChatRequest]) -> Round:
    """How long its answers take, and their tokens. Raises what the engine does of ``launcher.errors``."""
    begun_s = time.monotonic()
    answers = await asyncio.gather(*(_read(engine, request) for request in requests))
    seconds = time.monotonic() - begun_s
    return Round(tuple(each[0] for each in answers), sum(each[1] for each in answers), seconds)


async def _read(engine: Engine, request: ChatRequest) -> tuple[Timing, int]:
    """How long the answer took, and its tokens."""
    begun_s, first_s, last = time.monotonic(), 0.0, Chunk("")
    async with aclosing(engine.stream(request)) as chunks:
        async for last in chunks:
            if last.text and not first_s:
                first_s = time.monotonic() - begun_s
    end_s = time.monotonic() - begun_s
    return Timing(first_s or end_s, end_s), last.usage.new_tokens if last.usage else 0
