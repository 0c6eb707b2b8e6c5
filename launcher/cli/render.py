"""Results and errors -> text or JSON on standard output, and everything else on standard error. The only code
that prints."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from launcher.cli import streams
from launcher.cli.paragraphs import fitted
from launcher.errors import LauncherError, PresetError
from launcher.messages import Chunk
from launcher.presets import Preset
from launcher.readiness import Readiness, ReadyState

_COLOURS = {
    ReadyState.READY: "green",
    ReadyState.NEEDS_DOWNLOAD: "yellow",
    ReadyState.NEEDS_GPU: "yellow",
    ReadyState.UNSUPPORTED: "red",
    ReadyState.BROKEN: "red",
}

_CONTROLS = [*range(9), *range(11, 32), *range(127, 160)]
"""Control characters, but for tab and line feed."""
_DIRECTIONS = [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
"""Marks that turn the direction of writing, and ends of lines that only some programs know."""
_STEERING = dict.fromkeys(_CONTROLS, "\ufffd")
_VISIBLE = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CONTROLS + _DIRECTIONS}

_TABLE_COLUMNS = 160
"""A table is not cut at the edge of a narrow terminal or a pipe: its lines are short unless names are
long."""


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
    line(json.dumps(value, ensure_ascii=not streams.takes_all_letters(), indent=2))


def data_line(value: object) -> None:
    """One JSON value on a line of its own, shown at once."""
    line(json.dumps(value, ensure_ascii=not streams.takes_all_letters()))


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


def presets_checked(presets: Sequence[Preset]) -> None:
    """The names of presets that are right."""
    for preset in presets:
        line(f"{preset.name}: right")


def readiness_table(found: Sequence[Readiness]) -> None:
    """Presets and where they stand; reasons and commands below, whole, so that they can be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("preset", "takes", "state", "runs on"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        takes = "pictures" if each.preset.kind == "vision" else "text"
        table.add_row(
            each.preset.name, takes, Text(each.state.value, style=_COLOURS[each.state]), _runs_on(each)
        )
    console = Console(soft_wrap=True, highlight=False, width=_TABLE_COLUMNS)
    with streams.output():
        console.print(table)
        for each in found:
            if remark := _remark(each):
                name = "" if remark.startswith(each.preset.name) else f"{each.preset.name}: "
                console.print(f"\n{fitted(visible(name + remark), sys.stdout)}", markup=False)


def _runs_on(each: Readiness) -> str:
    return f"{each.engine}, {each.device}" if each.state is ReadyState.READY else "-"


def _remark(each: Readiness) -> str:
    return str(each.reason) if each.reason else each.note


def readiness_data(each: Readiness) -> dict[str, Any]:
    """A preset's standing for programs."""
    return {
        "name": each.preset.name,
        "title": each.preset.title.model_dump(),
        "kind": each.preset.kind,
        "state": each.state.name.lower(),
        "engine": each.engine or None,
        "device": each.device or None,
        "folder": str(each.folder) if each.folder else None,
        "note": each.note or None,
        "reason": each.reason.message if each.reason else None,
        "hint": each.reason.hint if each.reason else None,
        "command": each.command or None,
    }


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
