"""A question as a person gives it -> a request: what `ask`, `ask --batch` and `chat` refuse alike before any
model is asked."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import Preset


def to_message(preset: Preset, question: str, pictures: tuple[Path, ...] = ()) -> Message:
    """The question as it was typed, with pictures that have been checked.

    Raises:
        RequestError: it is empty, no text, or has pictures for a model that takes none.
    """
    if not question.strip():
        raise RequestError("The question is empty", 'Type: launcher ask {name} "…"', name=preset.name)
    if any("\ud800" <= letter <= "\udfff" for letter in question):
        raise RequestError("The question is not UTF-8 text", "Set the terminal to UTF-8, or type it again.")
    if pictures:
        check_takes_pictures(preset)
    return Message("user", question, pictures)


def as_typed(word: str) -> str:
    """A word of the command line, in UTF-8 whatever the locale says: one that knows ASCII alone (as
    ``LC_ALL=C``) hides other letters from Python. What is no UTF-8 stays as it is."""
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        return word


def unreadable(name: str, error: OSError | ValueError) -> RequestError:
    """For a file of questions, or standard input, that cannot be opened or read."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return RequestError("{file} cannot be read: {reason}", "Check the path.", file=name, reason=reason)


def check_takes_pictures(preset: Preset) -> None:
    """Raises RequestError for a text model."""
    if preset.kind == "text":
        raise RequestError(
            "{name} takes no pictures", "See launcher presets for models that do.", name=preset.name
        )


def single(preset: Preset, question: Message, options: GenerationOptions) -> ChatRequest:
    """One question without a conversation, after the preset's system prompt."""
    return ChatRequest((*system_message(preset.chat.system_prompt), question), options)


def system_message(prompt: str) -> tuple[Message, ...]:
    """What stands first in a conversation: nothing where the prompt is blank."""
    return (Message("system", prompt),) if prompt.strip() else ()


def options_of(preset: Preset, max_new_tokens: int | None, temperature: float | None) -> GenerationOptions:
    """The preset's options, changed by the command's own."""
    options = preset.generation.options()
    if max_new_tokens is not None:
        options = replace(options, max_new_tokens=max_new_tokens)
    return options if temperature is None else replace(options, temperature=temperature)
