"""An answer in OpenAI's form, whole or in pieces, by the ``openai`` package's own types."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.chat_completion_chunk import ChoiceDelta

from launcher.messages import Chunk, FinishReason, Usage

Finish = Literal["stop", "length"]

_FINISHES: dict[FinishReason, Finish] = {
    "stop": "stop",
    "length": "length",
    "session_full": "length",
    "cancelled": "stop",
}


@dataclass(frozen=True)
class Completion:
    """One answer of ``model``; with ``counts``, its stream ends with what it cost."""

    model: str
    counts: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, end: Chunk) -> bytes:
        """The answer in one piece."""
        message = ChatCompletionMessage(role="assistant", content=text, refusal=None)
        choice = Choice(index=0, message=message, finish_reason=_finish(end), logprobs=None)
        return (
            ChatCompletion(
                id=self.id,
                object="chat.completion",
                created=self.created,
                model=self.model,
                choices=[choice],
                usage=_usage(end.usage),
            )
            .model_dump_json(exclude_unset=True)
            .encode()
        )

    def beginning(self) -> bytes:
        """Who speaks."""
        return self._event([_choice(ChoiceDelta(role="assistant", content=""))])

    def piece(self, text: str) -> bytes:
        """Some of the text."""
        return self._event([_choice(ChoiceDelta(content=text))])

    def ending(self, end: Chunk) -> bytes:
        """How it ended, and what it cost where that was asked for."""
        finish = self._event([_choice(ChoiceDelta(), _finish(end))])
        cost = self._event([], end.usage) if self.counts else b""
        return finish + cost + b"data: [DONE]\n\n"

    def _event(self, choices: list[ChunkChoice], usage: Usage | None = None) -> bytes:
        chunk = ChatCompletionChunk(
            id=self.id,
            object="chat.completion.chunk",
            created=self.created,
            model=self.model,
            choices=choices,
        )
        if self.counts:
            chunk.usage = _usage(usage)
        return f"data: {chunk.model_dump_json(exclude_unset=True)}\n\n".encode()


def _choice(delta: ChoiceDelta, finish: Finish | None = None) -> ChunkChoice:
    return ChunkChoice(index=0, delta=delta, finish_reason=finish, logprobs=None)


def _finish(end: Chunk) -> Finish:
    return _FINISHES[end.finish or "stop"]


def _usage(usage: Usage | None) -> CompletionUsage | None:
    if usage is None:
        return None
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.new_tokens,
        total_tokens=usage.prompt_tokens + usage.new_tokens,
    )
