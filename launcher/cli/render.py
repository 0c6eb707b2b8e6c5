"""Results and errors -> text or JSON on standard output, and everything else on standard error. The only code
that prints."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from launcher.cli import streams
from launcher.cli.paragraphs import fitted
from launcher.errors import LauncherError, PresetError
from launcher.messages import Chunk, well_formed

_CONTROLS = [*range(9), *range(11, 32), *range(127, 160)]
"""Control characters, but for tab and line feed."""
_DIRECTIONS = [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
"""Marks that turn the direction of writing, and ends of lines that only some programs know."""
_STEERING = dict.fromkeys(_CONTROLS, "\ufffd")
_VISIBLE = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CONTROLS + _DIRECTIONS}


def visible(text: str) -> str:
    """The text with all that would steer a terminal, or turn its writing, written out: names and sentences
    hold what hubs, checkpoints and presets call things."""
    return text.translate(_VISIBLE)


def line(text: str) -> None:
    """A line of the result."""
    with streams.output():
        print(visible(text) if sys.stdout.isatty() else text)  # noqa: T201 - printing is what this module is for


def announce(text: str) -> None:
    """Something to read while the command goes on, shown at once; where it cannot be shown, that is said, and
    the command goes on all the same."""
    try:
        line(text)
    except (LauncherError, BrokenPipeError) as problem:
        streams.lose_output()
        if isinstance(problem, LauncherError):
            error(problem)


def piece(text: str) -> None:
    """A piece of an answer, shown at once; in a terminal without what would steer it: a model may say
    anything."""
    with streams.output():
        print(text.translate(_STEERING) if sys.stdout.isatty() else text, end="")  # noqa: T201


def data(value: object) -> None:
    """One JSON value."""
    line(_as_json(value, indent=2))


def data_line(value: object) -> None:
    """One JSON value on a line of its own, shown at once."""
    line(_as_json(value))


def _as_json(value: object, indent: int | None = None) -> str:
    """With letters as they are where the output takes them; a checkpoint's config may name half a one."""
    text = json.dumps(value, ensure_ascii=not streams.takes_all_letters(), indent=indent)
    return text if text == well_formed(text) else json.dumps(value, indent=indent)


def note(text: str) -> None:
    """Something beside the result."""
    print(visible(text), file=sys.stderr)  # noqa: T201


def error(problem: LauncherError, *, debug: bool = False) -> None:
    """What failed and what to do next; the traceback only for who asked for it."""
    if debug:
        traceback.print_exception(problem)
    note(fitted(visible(f"launcher: {problem.message}"), sys.stderr))
    if problem.hint:
        note(fitted(visible(problem.hint), sys.stderr))


def defect(problem: Exception, *, debug: bool) -> None:
    """An error that nobody foresaw."""
    if debug:
        traceback.print_exception(problem)
    note(f"launcher: a defect of the launcher: {type(problem).__name__}: {problem}")
    if not debug:
        note("To see where, type the same command with --debug:  launcher --debug …")


def preset_errors(problems: Sequence[PresetError]) -> None:
    """One line for each thing wrong with a preset file."""
    for problem in problems:
        note(problem.message)


def error_data(problem: LauncherError) -> dict[str, Any]:
    """An error for programs."""
    return {"message": problem.message, "hint": problem.hint, "exit_code": problem.exit_code}


def answer_data(model: str, text: str, last: Chunk) -> dict[str, Any]:
    """A whole answer for programs: text, how it ended, tokens, and seconds."""
    usage = last.usage
    return {
        "model": model,
        "text": text,
        "finish_reason": last.finish,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "picture_tokens": usage.picture_tokens if usage else None,
        "new_tokens": usage.new_tokens if usage else None,
        "first_token_s": usage.first_token_s if usage else None,
        "total_s": usage.total_s if usage else None,
    }
