"""Presets and where they stand, as a table or for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from launcher.cli import render, streams
from launcher.cli.paragraphs import fitted
from launcher.presets import Preset
from launcher.readiness import Readiness, ReadyState

_COLOURS = {
    ReadyState.READY: "green",
    ReadyState.NEEDS_DOWNLOAD: "yellow",
    ReadyState.NEEDS_GPU: "yellow",
    ReadyState.UNSUPPORTED: "red",
    ReadyState.BROKEN: "red",
}

_TABLE_COLUMNS = 160
"""A table is not cut at the edge of a narrow terminal or a pipe: its lines are short unless names are
long."""


def presets_checked(presets: Sequence[Preset]) -> None:
    """The names of presets that are right."""
    for preset in presets:
        render.line(f"{preset.name}: right")


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
                console.print(f"\n{fitted(render.visible(name + remark), sys.stdout)}", markup=False)


def _runs_on(each: Readiness) -> str:
    return f"{each.engine}, {each.place}" if each.state is ReadyState.READY else "-"


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
        "gpus": [place.gpu.uuid for place in each.places if place.gpu],
        "folder": str(each.folder) if each.folder else None,
        "note": each.note or None,
        "reason": each.reason.message if each.reason else None,
        "hint": each.reason.hint if each.reason else None,
        "command": each.command or None,
    }
