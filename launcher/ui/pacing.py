"""Turns an answer into few updates: the first piece at once, then at most one each interval. Knows no page
and no engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from launcher.messages import Chunk

UPDATE_INTERVAL_S = 0.05
"""At most 20 updates a second: each costs the server a pass over the whole history and the browser a
render."""


async def paced(
    chunks: AsyncIterator[Chunk], interval_s: float = UPDATE_INTERVAL_S
) -> AsyncGenerator[Chunk, None]:
    """Reads a chunk, then rests: ``chunks`` joins what comes meanwhile, as ``workers.answers.Answer``
    does."""
    async for chunk in chunks:
        yield chunk
        if chunk.finish is None:
            await asyncio.sleep(interval_s)
