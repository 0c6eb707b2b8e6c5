"""A chat bubble list as Gradio keeps it <-> messages for an engine. The page holds the conversation; the
server keeps none.

A bubble's text is shown text (``launcher.ui.shown_text``); a picture is a path in Gradio's cache, never
pixels.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message, system_turn, well_formed
from launcher.ui.shown_text import (
    GrowingAnswer,
    answer_as_given,
    answer_as_shown,
    typed_as_given,
    typed_as_shown,
)

Bubbles = list[dict[str, Any]]
"""The value of a ``gr.Chatbot``: ``{"role": ..., "content": [{"type": "text" | "file", ...}]}`` for each
bubble."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the question box. Its text is well formed: half a character that a program sent could
    not be shown."""

    text: str = ""
    pictures: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", well_formed(self.text))


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page's advanced settings say, or why that cannot be used: ``to_request`` raises the
    ``refusal``."""

    system_prompt: str
    options: GenerationOptions
    refusal: RequestError | None = None


def asked(bubbles: Bubbles, typed: Typed) -> Bubbles:
    """The bubbles with the question at their end: its pictures, then its text."""
    content: list[dict[str, Any]] = [_picture(path) for path in typed.pictures]
    if typed.text:
        content.append({"text": typed_as_shown(typed.text), "type": "text"})
    return [*bubbles, {"role": "user", "content": content}]


def answered(bubbles: Bubbles, text: str) -> Bubbles:
    """The bubbles with an answer at their end."""
    return _with_answer(bubbles, answer_as_shown(text))


def answering(bubbles: Bubbles, answer: GrowingAnswer, piece: str) -> Bubbles:
    """The bubbles with what there is of an answer at their end. Such an end is no part of a conversation
    yet: it becomes one with ``answered``."""
    return _with_answer(bubbles, answer.add(piece))


def _with_answer(bubbles: Bubbles, shown: str) -> Bubbles:
    return [*bubbles, {"role": "assistant", "content": [{"text": shown, "type": "text"}]}]


def is_unanswered(bubbles: Bubbles) -> bool:
    """Whether the last bubble is a question."""
    return bool(bubbles) and bubbles[-1]["role"] == "user"


def noted(bubbles: Bubbles, note: str) -> Bubbles:
    """The bubbles with a note on the last one, which the page shows elsewhere: what an answer cost, or why
    there is none, as HTML."""
    return [*bubbles[:-1], {**bubbles[-1], "metadata": {"log": note}}]


def to_request(bubbles: Bubbles, typed: Typed, settings: Settings) -> ChatRequest:
    """The conversation so far and the question, for an engine. Questions that were never answered are left
    out.

    Raises:
        RequestError: the settings cannot be used.
    """
    if settings.refusal is not None:
        raise settings.refusal
    question = Message("user", typed.text, typed.pictures)
    messages = (*system_turn(settings.system_prompt), *_turns(bubbles), question)
    return ChatRequest(messages, settings.options)


def media_type(picture: Path) -> str:
    """A picture's media type by its name, PNG where that says nothing or something else: the browser finds
    out by itself, but would show what is no picture to it as a file's name."""
    known = mimetypes.guess_type(picture.name)[0] or ""
    return known if known.startswith("image/") else "image/png"


def _picture(path: Path) -> dict[str, Any]:
    return {"file": {"path": str(path), "mime_type": media_type(path)}, "type": "file"}


def _turns(bubbles: Bubbles) -> list[Message]:
    turns: list[Message] = []
    for bubble in bubbles:
        if bubble["role"] == "user":
            if turns and turns[-1].role == "user":
                turns.pop()
            typed = _typed(bubble)
            turns.append(Message("user", typed.text, typed.pictures))
        elif turns and turns[-1].role == "user":
            turns.append(Message("assistant", "".join(answer_as_given(text) for text in _texts(bubble))))
    return turns[:-1] if turns and turns[-1].role == "user" else turns


def _typed(bubble: dict[str, Any]) -> Typed:
    pictures = tuple(Path(part["file"]["path"]) for part in bubble["content"] if part["type"] == "file")
    return Typed("".join(typed_as_given(text) for text in _texts(bubble)), pictures)


def _texts(bubble: dict[str, Any]) -> Sequence[str]:
    return [part["text"] for part in bubble["content"] if part["type"] == "text"]
