"""A conversation of the page -> the request for an engine. The page holds the conversation; the server keeps
none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message, system_turn, well_formed


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the question box. Its text is well formed: half a character that a program sent could
    not be shown."""

    text: str = ""
    pictures: tuple[Path, ...] = ()
    one_tile: frozenset[Path] = frozenset()
    """Those of the pictures that are pages of a document or frames of a video: see ``ChatRequest``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", well_formed(self.text))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question of the conversation, and its answer as the model gave it."""

    question: Typed
    answer: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page's advanced settings say, or why that cannot be used: ``to_request`` raises the
    ``refusal``."""

    system_prompt: str
    options: GenerationOptions
    refusal: RequestError | None = None


def to_request(history: Sequence[Exchange], typed: Typed, settings: Settings) -> ChatRequest:
    """The conversation so far and the question, for an engine.

    Raises:
        RequestError: the settings cannot be used.
    """
    if settings.refusal is not None:
        raise settings.refusal
    turns = [message for exchange in history for message in _messages(exchange)]
    question = Message("user", typed.text, typed.pictures)
    one_tile = typed.one_tile.union(*(exchange.question.one_tile for exchange in history))
    messages = (*system_turn(settings.system_prompt), *turns, question)
    return ChatRequest(messages, settings.options, one_tile=one_tile)


def _messages(exchange: Exchange) -> tuple[Message, Message]:
    question = exchange.question
    return (
        Message("user", question.text, question.pictures),
        Message("assistant", well_formed(exchange.answer)),
    )
