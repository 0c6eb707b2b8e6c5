"""Responses that go on: each piece is sent as it comes, and the source is closed when the reader is gone."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""What keeps a proxy (nginx by the second) from holding pieces back."""


class _Stream(StreamingResponse):
    """Starlette's, which notices at once that the reader is gone, and closes the source then."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], media_type: str) -> None:
        super().__init__(pieces, headers=_UNBUFFERED, media_type=media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it all, or as much as the reader takes."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()


class LineStream(_Stream):
    """JSON objects, one a line."""

    def __init__(self, values: AsyncGenerator[Mapping[str, object], None]) -> None:
        super().__init__(_lines(values), "application/x-ndjson")


class EventStream(_Stream):
    """Server-sent events whose data are JSON objects; an empty one is sent as a comment, which a browser does
    not tell the page of."""

    def __init__(self, values: AsyncGenerator[Mapping[str, object], None]) -> None:
        super().__init__(_events(values), "text/event-stream")


async def _lines(values: AsyncGenerator[Mapping[str, object], None]) -> AsyncGenerator[bytes, None]:
    try:
        async for value in values:
            yield _json(value) + b"\n"
    finally:
        await values.aclose()


async def _events(values: AsyncGenerator[Mapping[str, object], None]) -> AsyncGenerator[bytes, None]:
    try:
        async for value in values:
            yield b"data: " + _json(value) + b"\n\n" if value else b":\n\n"
    finally:
        await values.aclose()


def _json(value: Mapping[str, object]) -> bytes:
    """On one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
