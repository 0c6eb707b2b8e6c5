"""A question as a person gives it -> a request: what `ask`, `ask --batch` and `chat` refuse alike before any
model is asked, and what they say of an answer that was cut off."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.commands_here import command
from launcher.errors import RequestError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message, system_turn, well_formed
from launcher.presets import Preset
from launcher.settings import read_options


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
    if any("\udc80" <= letter <= "\udcff" for letter in question):  # how Python hands over such bytes
        raise RequestError("The question is not UTF-8 text", "Set the terminal to UTF-8, or type it again.")
    if pictures:
        check_takes_pictures(preset)
    return Message("user", well_formed(question), pictures)


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
            "{name} takes no pictures",
            "To see which models do, type: {command}",
            name=preset.name,
            command=command("presets", *preset.given),
        )


def single(
    preset: Preset, question: Message, options: GenerationOptions, one_tile: frozenset[Path] = frozenset()
) -> ChatRequest:
    """One question without a conversation, after the preset's system prompt."""
    return ChatRequest((*system_turn(preset.chat.system_prompt), question), options, one_tile=one_tile)


def options_of(preset: Preset, max_new_tokens: int | None, temperature: float | None) -> GenerationOptions:
    """The preset's options, changed by the command's own.

    Raises:
        RequestError: one of these is outside its range.
    """
    given = {"max_new_tokens": max_new_tokens, "temperature": temperature}
    return read_options(given, preset.generation.options())


def cut_off(last: Chunk, longer: str, anew: str) -> str:
    """Why an answer ends before its end, and what to do; "" where it does not.

    Args:
        last: the answer's last chunk.
        longer: what gives a longer answer.
        anew: what makes room in the session.
    """
    if last.finish == "length":
        return f"(cut off at the longest answer: {longer})"
    if last.finish == "session_full" and last.usage is not None:
        tokens = last.usage.prompt_tokens + last.usage.new_tokens
        return f"(cut off: the model's session of {tokens} tokens is full: {anew})"
    return ""
