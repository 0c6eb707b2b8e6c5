"""Bytes of a stream -> the data of its server-sent events, within bounds: whatever the server sends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator

MOST_BYTES = 64 << 20
"""Of one answer: 32768 tokens, an event of some 300 bytes each, take 10 MB."""

MOST_LINE_BYTES = 1 << 20
"""Of one event."""

MOST_SILENCE_S = 1800.0
"""Without an event, while comments say that the connection lives: for a server that loads a model, or has
many before us."""


class Endless(Exception):
    """More came than an answer has; ``silent_s`` where only comments came."""

    def __init__(self, silent_s: float | None = None) -> None:
        super().__init__()
        self.silent_s = silent_s


async def events(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The data of each event; an event is one line, as OpenAI's API has it.

    Raises:
        Endless: see the bounds of this module.
    """
    rest, total, heard_s = b"", 0, time.monotonic()
    async for piece in pieces:
        total += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        if total > MOST_BYTES or len(rest) > MOST_LINE_BYTES:
            raise Endless
        for line in lines:
            if line.startswith(b"data:"):
                heard_s = time.monotonic()
                yield line.removeprefix(b"data:").strip()
        if time.monotonic() - heard_s > MOST_SILENCE_S:
            raise Endless(MOST_SILENCE_S)
    if rest.startswith(b"data:"):
        yield rest.removeprefix(b"data:").strip()
