"""Responses that go on: each piece is sent as it comes, and the source is closed when the reader is gone."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from launcher.ui.heartbeats import Heartbeats

HEARTBEAT_S = 15.0
"""While nothing is said, something that means nothing is sent so often: proxies take a silent stream for dead
(nginx after 60 s), and a reader that has vanished is noticed only by what cannot be sent to it."""

_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""What keeps a proxy (nginx by the second) from holding pieces back."""

Values = AsyncGenerator[Mapping[str, object], None]
Pieces = AsyncGenerator[bytes, None]


class Stream(StreamingResponse):
    """Starlette's, which notices at once that the reader is gone, and closes the source then.

    Args:
        pieces: the source.
        media_type: of the whole.
        beat: the heartbeat.
    """

    def __init__(self, pieces: Pieces, media_type: str, beat: bytes) -> None:
        self._pieces, self._beat = pieces, beat
        super().__init__(pieces, headers=_UNBUFFERED, media_type=media_type)

    async def begun(self) -> Stream:
        """The same, come to its first piece. One that is empty only says that, and is not sent.

        The response itself begins turns of the event loop later, and everybody who came meanwhile has each of
        them, too: of 32 who ask at one moment, the engine would be asked once all 32 requests have been read.
        """
        self.body_iterator = self._pieces = _begun(self._pieces)
        await anext(self._pieces)
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it all, or as much as the reader takes."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes the source, also where nothing was sent."""
        await self._pieces.aclose()

    async def stream_response(self, send: Send) -> None:
        """Sends it all, and heartbeats while there is nothing to send."""
        heartbeats = Heartbeats(send, self._beat, HEARTBEAT_S)
        try:
            await super().stream_response(heartbeats.send)
        finally:
            heartbeats.stop()


class LineStream(Stream):
    """JSON objects, one a line; an empty line means nothing."""

    def __init__(self, values: Values) -> None:
        super().__init__(_in_frames(values, b"", b"\n"), "application/x-ndjson", b"\n")


class EventStream(Stream):
    """Server-sent events whose data are JSON objects."""

    def __init__(self, values: Values) -> None:
        super().__init__(_in_frames(values, b"data: ", b"\n\n"), "text/event-stream", b":\n\n")


async def _begun(pieces: Pieces) -> Pieces:
    """Says nothing at first, when it has come to its first piece; then that, and what follows."""
    try:
        first = await anext(pieces)
        yield b""
        if first:
            yield first
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()


async def _in_frames(values: Values, before: bytes, after: bytes) -> Pieces:
    """Each value in JSON, between these."""
    try:
        async for value in values:
            yield before + in_json(value) + after
    finally:
        await values.aclose()


def in_json(value: object) -> bytes:
    """On one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
