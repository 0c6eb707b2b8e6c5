"""A question as a person gives it -> a request: what `ask`, `ask --batch` and `chat` refuse alike before any
model is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from launcher.commands_here import command
from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import Preset


def to_message(preset: Preset, question: str, pictures: tuple[Path, ...] = ()) -> Message:
    """The question as it was typed, with pictures that have been checked.

    Raises:
        RequestError: it is empty, no text, or has pictures for a model that takes none.
    """
    if not question.strip():
        raise RequestError(
            "The question is empty",
            "Type: {command}",
            command=command("ask", preset.name, "…", presets=preset.given),
        )
    if any("\ud800" <= letter <= "\udfff" for letter in question):
        raise RequestError("The question is not UTF-8 text", "Set the terminal to UTF-8, or type it again.")
    if pictures:
        check_takes_pictures(preset)
    return Message("user", question, pictures)


def check_takes_pictures(preset: Preset) -> None:
    """Raises RequestError for a text model."""
    if preset.kind == "text":
        raise RequestError(
            "{name} takes no pictures",
            "To see which models do, type: {command}",
            name=preset.name,
            command=command("presets", *preset.given),
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
