"""What is asked and what is answered: frozen, picklable values that cross every boundary; imports nothing of
ours.

A picture is a path to a file that ``launcher.images`` has checked: paths are small to send to a worker and
cheap to keep in a chat history, pixels are neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "session_full", "cancelled"]
"""stop: the model had said all, or said a stop text. length: the request's ``max_new_tokens`` are spent.
session_full: prompt and answer fill the model's session, which is sooner. cancelled: somebody stopped it."""

_NEVER_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON and browsers can send as text though it is none: half a UTF-16 character, and NUL, which Markdown
and HTML replace in the same way."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. ``pictures`` come before the text, in order; only user turns have them."""

    role: Role
    text: str
    pictures: tuple[Path, ...] = ()


def well_formed(text: str) -> str:
    """The text as it can be encoded, shown and read by every tokenizer: halves of one character put together,
    and U+FFFD for each half that is left and for each NUL."""
    if not _NEVER_TEXT.search(text):
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _NEVER_TEXT.sub("\ufffd", whole)


def system_turn(prompt: str) -> tuple[Message, ...]:
    """What stands first in a conversation: the system prompt, or nothing where it is blank. The engine writes
    down what it is given; nothing stands in for a turn that is not there."""
    return (Message("system", well_formed(prompt)),) if prompt.strip() else ()


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How an answer is drawn. ``temperature`` 0 is greedy decoding; then only ``repetition_penalty``, which
    counts from the prompt's end on, matters of the others."""

    max_new_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation whose last message is the user's question. A system message, where there is one, comes
    first. ``stop`` are texts that end the answer, beside the preset's; none of them is said. ``one_tile`` are
    those of its pictures of which the model is shown one tile each, however large they are: pages of a
    document, frames of a video."""

    messages: tuple[Message, ...]
    options: GenerationOptions = field(default_factory=GenerationOptions)
    stop: tuple[str, ...] = ()
    one_tile: frozenset[Path] = frozenset()


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
