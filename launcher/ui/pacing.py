"""Turns an answer into few updates: the first piece at once, the end at once, and between them at most one
each interval, which grows while the server falls behind. Knows no page and no engine."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from launcher.messages import Chunk
from launcher.workers.answers import Answer

UPDATE_INTERVAL_S = 0.05
"""At most 20 updates a second: no reader sees more."""

SLOWEST_INTERVAL_S = 0.25
"""At least four: fewer look like an answer that stands still."""

_EASE = 10
"""How many times what a rest was too long by is added to the next one: a loop that is 20 ms behind is spared
as much as may be."""


async def paced(answer: Answer, interval_s: float = UPDATE_INTERVAL_S) -> AsyncGenerator[Chunk, None]:
    """The answer's chunks, with rests between in which more text gathers; the answer's end breaks a rest."""
    rest_s = interval_s
    async for chunk in answer:
        yield chunk
        if chunk.finish is None:
            begun_s = time.monotonic()
            await answer.rest(rest_s)
            rest_s = next_rest_s(time.monotonic() - begun_s - rest_s, interval_s)


def next_rest_s(late_s: float, interval_s: float = UPDATE_INTERVAL_S) -> float:
    """How long to rest after a rest that ended so late, as the server had other things to do; one that was
    broken off is not late."""
    return max(interval_s, min(interval_s + _EASE * late_s, SLOWEST_INTERVAL_S))
