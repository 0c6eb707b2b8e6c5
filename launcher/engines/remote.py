"""The engine of a model that runs on a server which speaks OpenAI's API: asks that, and passes on what it
says. Loading is asking whether the server has the model.

The server writes the prompt and counts tokens; how many of them a picture took it does not say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk

from launcher.endpoints.failures import broken_off, ended_otherwise
from launcher.endpoints.server import Server
from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.engines.openai_form import to_body, with_emptied_prompt
from launcher.engines.sent_pictures import USUAL_TILES, SentPictures
from launcher.messages import ChatRequest, Chunk, FinishReason, Usage
from launcher.presets import Endpoint

_ANY_SESSION_TOKENS = 1_048_576
"""Where the preset sets no bound: the server has its own and says so. The schema's largest."""


class RemoteEngine:
    """Asks one server, any number of questions at once; see ``launcher.engines.base``."""

    def __init__(self, spec: EngineSpec) -> None:
        assert spec.preset.endpoint is not None, "readiness gives this engine to presets with a server"
        self._spec = spec
        self._endpoint: Endpoint = spec.preset.endpoint
        memory = spec.preset.memory
        self._session_tokens = (
            _ANY_SESSION_TOKENS if memory.session_tokens == "auto" else memory.session_tokens
        )
        self._max_tiles = USUAL_TILES if memory.max_tiles == "auto" else memory.max_tiles
        self._pictures = SentPictures(self._max_tiles)
        self._server: Server | None = None

    async def prepare(self) -> None:
        """Opens no connection yet."""

    async def load(self, progress: Progress) -> EngineFacts:
        """Asks the server for its models."""
        begun_s = time.monotonic()
        progress("server", 0.0)
        self._server = Server(self._endpoint)
        await self._server.check_model()
        return EngineFacts(
            self._spec.engine,
            self._spec.device,
            self._session_tokens,
            self._max_tiles,
            time.monotonic() - begun_s,
        )

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """What the server says; closing it closes the connection."""
        assert self._server is not None, "it is loaded first"
        said = _Said(self._endpoint.url, request.options.max_new_tokens)
        stop = (*self._spec.preset.chat.stop, *request.stop)

        def url_of(picture: Path) -> str:
            return self._pictures.url(picture, one_tile=picture in request.one_tile)

        asked = with_emptied_prompt(request, self._spec.preset.chat.system_prompt)
        body = await asyncio.to_thread(to_body, self._endpoint.model, asked, stop, url_of)
        async with aclosing(self._server.answer(body)) as chunks:
            async for chunk in chunks:
                if text := said.take(chunk):
                    yield Chunk(text)
        yield said.end()

    async def sleep(self) -> None:
        """There is nothing to give back."""

    async def close(self) -> None:
        """Closes the connections."""
        if self._server is not None:
            await self._server.close()


@dataclass(slots=True)
class _Said:
    """What an answer's stream has told so far."""

    url: str
    wanted_tokens: int
    begun_s: float = 0.0
    first_s: float = 0.0
    finish: str = ""
    usage: CompletionUsage | None = None

    def __post_init__(self) -> None:
        self.begun_s = time.monotonic()

    def take(self, chunk: ChatCompletionChunk) -> str:
        """The text in it; its usage and its reason to end are kept."""
        self.usage = chunk.usage or self.usage
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self.finish = choice.finish_reason or self.finish
        text = choice.delta.content or ""
        if text and not self.first_s:
            self.first_s = time.monotonic() - self.begun_s
        return text

    def end(self) -> Chunk:
        """The last chunk. Its usage is what the server counted; none where it did not count.

        Raises:
            EngineError: it ended for no reason, or for one that is none here.
        """
        if not self.finish:
            raise broken_off(self.url)
        if self.finish not in ("stop", "length"):
            raise ended_otherwise(self.url, self.finish)
        usage = None
        if self.usage is not None:
            total_s = time.monotonic() - self.begun_s
            usage = Usage(
                self.usage.prompt_tokens, 0, self.usage.completion_tokens, self.first_s or total_s, total_s
            )
        return Chunk("", self._reason(), usage)

    def _reason(self) -> FinishReason:
        """A server says ``length`` of both bounds; its count tells which it was."""
        if self.finish == "stop":
            return "stop"
        is_short = self.usage is not None and self.usage.completion_tokens < self.wanted_tokens
        return "session_full" if is_short else "length"
