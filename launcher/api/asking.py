"""One question of a program and its answer, whole or streamed; a client that leaves stops the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from launcher.api.completions import Completion
from launcher.api.failures import in_openai_form
from launcher.api.metrics import Metrics
from launcher.errors import EngineError, LauncherError
from launcher.messages import Chunk
from launcher.ui.pacing import paced
from launcher.ui.streams import Stream, in_json
from launcher.ui.texts import Language, language_of
from launcher.workers.answers import Answer

INTERVAL_S = 0.02
"""Between pieces of a stream, at least: fifty a second read as one flow, and leave time for others."""

PATIENCE_S = 2.0
"""How long a stream waits for its first piece before it says that it is one: so long, an error is an answer
with a status of its own."""

COMMENT = b": the model is loading, or others are answered first\n\n"
"""Sent meanwhile, so that neither the client nor a proxy takes the stream for dead."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Asked:
    """A question that the model has been asked, and who is told of its answer."""

    request: Request
    answer: Answer
    completion: Completion
    metrics: Metrics
    begun_s: float = field(default_factory=time.monotonic)

    @property
    def language(self) -> Language:
        """The client's."""
        return language_of(self.request.headers.get("accept-language"))

    def has_begun(self) -> None:
        """Its first text is here."""
        self.metrics.first_token(self.completion.model, time.monotonic() - self.begun_s)


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What the work returns.

    Raises:
        ClientDisconnect: the client has left; the work is cancelled.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for each in (working, leaving):
            each.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def whole(asked: Asked) -> Response:
    """The answer in one piece."""

    async def read() -> tuple[str, Chunk]:
        text = ""
        async for chunk in asked.answer:
            if not text:
                asked.has_begun()
            text += chunk.text
            if chunk.finish is not None:
                return text, chunk
        raise EngineError("The answer has no end.", hint="Ask again.")

    text, end = await unless_gone(asked.request, read())
    return Response(asked.completion.whole(text, end), media_type="application/json")


async def streamed(asked: Asked, held: AsyncExitStack) -> Response:
    """The answer as it comes; what is held for it goes with the stream."""
    chunks = paced(asked.answer, INTERVAL_S)
    held.push_async_callback(chunks.aclose)
    first = asyncio.ensure_future(anext(chunks))
    held.push_async_callback(_withdrawn, first)
    await unless_gone(asked.request, _within(first, PATIENCE_S))
    if first.done():
        first.result()  # raises why there is none
    return _HeldStream(_pieces(asked, first, chunks), held.pop_all())


async def _within(first: asyncio.Future[Chunk], seconds: float) -> None:
    await asyncio.wait([first], timeout=seconds)


async def _withdrawn(first: asyncio.Future[Chunk]) -> None:
    first.cancel()
    with suppress(asyncio.CancelledError, LauncherError):
        await first


async def _pieces(
    asked: Asked, first: asyncio.Future[Chunk], chunks: AsyncGenerator[Chunk, None]
) -> AsyncGenerator[bytes, None]:
    completion = asked.completion
    try:
        chunk = await first
        asked.has_begun()
        yield completion.beginning() + _said(completion, chunk)
        async for chunk in chunks:
            yield _said(completion, chunk)
    except LauncherError as error:
        asked.metrics.failed(completion.model)
        yield b"data: " + in_json(in_openai_form(error, asked.language)) + b"\n\n"


def _said(completion: Completion, chunk: Chunk) -> bytes:
    piece = completion.piece(chunk.text) if chunk.text else b""
    return piece + (completion.ending(chunk) if chunk.finish is not None else b"")


class _HeldStream(Stream):
    """A stream that lets go of what is held for it, however it ends, begun or not."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], held: AsyncExitStack) -> None:
        self._held = held
        super().__init__(pieces, "text/event-stream", COMMENT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it all, or as much as the reader takes."""
        async with self._held:
            await super().__call__(scope, receive, send)
