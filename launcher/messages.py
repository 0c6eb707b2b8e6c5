"""What is asked and what is answered: frozen, picklable values that cross every boundary; imports nothing of
ours.

A picture is a path to a file that ``launcher.images`` has checked: paths are small to send to a worker and
cheap to keep in a chat history, pixels are neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. ``pictures`` come before the text, in order; only user turns have them."""

    role: Role
    text: str
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How an answer is drawn. ``temperature`` 0 is greedy decoding; then the other sampling values do not
    matter."""

    max_new_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation whose last message is the user's question. A system message, where there is one, comes
    first."""

    messages: tuple[Message, ...]
    options: GenerationOptions = field(default_factory=GenerationOptions)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost. Tokens are counted by the engine; times are seconds from the moment the engine got
    the request."""

    prompt_tokens: int
    picture_tokens: int
    new_tokens: int
    first_token_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer. The last one, and only the last one, has ``finish`` and ``usage``; its text may
    be empty."""

    text: str
    finish: FinishReason | None = None
    usage: Usage | None = None
