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

from launcher.messages import ChatRequest, GenerationOptions, Message
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
    """What stands in the question box."""

    text: str = ""
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page's advanced settings say."""

    system_prompt: str
    options: GenerationOptions


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


def last_question(bubbles: Bubbles) -> tuple[Bubbles, Typed]:
    """The bubbles before the last question, and that question; nothing and an empty one when there is
    none."""
    for index in range(len(bubbles) - 1, -1, -1):
        if bubbles[index]["role"] == "user":
            return bubbles[:index], _typed(bubbles[index])
    return [], Typed()


def is_unanswered(bubbles: Bubbles) -> bool:
    """Whether the last bubble is a question."""
    return bool(bubbles) and bubbles[-1]["role"] == "user"


def merged(first: Typed, second: Typed) -> Typed:
    """Both texts, and the pictures of both, none twice."""
    text = "\n".join(part for part in (first.text, second.text) if part)
    return Typed(text, tuple(dict.fromkeys((*first.pictures, *second.pictures))))


def to_request(bubbles: Bubbles, typed: Typed, settings: Settings) -> ChatRequest:
    """The conversation so far and the question, for an engine. Questions that were never answered are left
    out."""
    messages = [Message("system", settings.system_prompt)] if settings.system_prompt.strip() else []
    messages += _turns(bubbles)
    messages.append(Message("user", typed.text, typed.pictures))
    return ChatRequest(tuple(messages), settings.options)


def _picture(path: Path) -> dict[str, Any]:
    """A bubble's picture. Without a picture's media type the browser would show a file's name; it finds out
    which by itself."""
    media_type = mimetypes.guess_type(path.name)[0] or ""
    known = media_type if media_type.startswith("image/") else "image/png"
    return {"file": {"path": str(path), "mime_type": known}, "type": "file"}


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
