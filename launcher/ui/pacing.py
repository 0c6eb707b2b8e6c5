"""Turns an answer into few updates: the first piece at once, then at most one each interval. Knows no page
and no engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from launcher.messages import Chunk

UPDATE_INTERVAL_S = 0.05
"""At most 20 updates a second: each costs the server a pass over the whole history and the browser a
render."""

IDLE_S = 0.5
"""How often a caller hears that nothing has come yet, so that it can say why, and so that a closed page is
noticed."""


async def paced(
    chunks: AsyncIterator[Chunk], interval_s: float = UPDATE_INTERVAL_S, idle_s: float = IDLE_S
) -> AsyncGenerator[Chunk | None, None]:
    """Reads a chunk, then rests: ``chunks`` joins what comes meanwhile, as ``workers.answers.Answer`` does.
    None each idle time.

    Closing the generator, or cancelling the task that drives it, stops waiting for the next chunk. The caller
    owns ``chunks``.
    """
    coming = asyncio.ensure_future(anext(chunks, None))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=idle_s)
            if not done:
                yield None
                continue
            chunk = coming.result()
            if chunk is None:
                return
            yield chunk
            if chunk.finish is None:
                await asyncio.sleep(interval_s)
            coming = asyncio.ensure_future(anext(chunks, None))
    finally:
        if coming.cancel():
            await asyncio.wait({coming})
