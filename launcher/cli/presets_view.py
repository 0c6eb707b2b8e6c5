"""Presets and where they stand, as a table or for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from launcher.cli import render, streams
from launcher.cli.paragraphs import fitted
from launcher.cli.preset_standing import Standing, on_disk
from launcher.presets import Preset
from launcher.readiness import Readiness, ReadyState

_COLOURS = {
    ReadyState.READY: "green",
    ReadyState.NEEDS_DOWNLOAD: "yellow",
    ReadyState.NEEDS_GPU: "yellow",
    ReadyState.NEEDS_KEY: "yellow",
    ReadyState.UNSUPPORTED: "red",
    ReadyState.BROKEN: "red",
}

_TABLE_COLUMNS = 160
"""A table is not cut at the edge of a narrow terminal or a pipe: its lines fit 80 columns unless names are
long."""


def presets_checked(presets: Sequence[Preset]) -> None:
    """The names of presets that are right."""
    for preset in presets:
        render.line(f"{preset.name}: right")


def standing_table(found: Sequence[Standing]) -> None:
    """Presets and where they stand; reasons and commands below, whole, so that they can be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("preset", "on disk", "memory", "engine", "state"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        state = each.readiness.state
        table.add_row(
            each.readiness.preset.name,
            on_disk(each.disk_bytes) if each.disk_bytes is not None else "-",
            "too large" if each.too_large else _gib(each.memory_bytes),
            each.readiness.engine or "-",
            Text(state.value, style=_COLOURS[state]),
        )
    console = Console(soft_wrap=True, highlight=False, width=_TABLE_COLUMNS)
    with streams.output():
        console.print(table)
        for each in found:
            if remark := _remark(each.readiness):
                named = remark.startswith(each.readiness.preset.name)
                name = "" if named else f"{each.readiness.preset.name}: "
                console.print(f"\n{fitted(render.visible(name + remark), sys.stdout)}", markup=False)


def _gib(size_bytes: int | None) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes is not None else "-"


def replacing(files: Sequence[tuple[str, Path]]) -> None:
    """Which built-in presets are not those that come with the launcher."""
    for name, file in files:
        render.line(f"\n{name}: your own, {file}, takes the place of the built-in one")


def _remark(each: Readiness) -> str:
    if each.reason:
        return str(each.reason)
    endpoint = each.preset.endpoint
    return f"{endpoint.model} at {endpoint.url}. {each.note}" if endpoint else each.note


def standing_data(standing: Standing) -> dict[str, Any]:
    """A preset's standing for programs."""
    each = standing.readiness
    return {
        "name": each.preset.name,
        "title": each.preset.title.model_dump(),
        "kind": each.preset.kind,
        "state": each.state.name.lower(),
        "engine": each.engine or None,
        "device": each.device or None,
        "gpus": [place.gpu.uuid for place in each.places if place.gpu],
        "server": each.preset.endpoint.model_dump() if each.preset.endpoint else None,
        "folder": str(each.folder) if each.folder else None,
        "disk_bytes": standing.disk_bytes,
        "memory_bytes": standing.memory_bytes,
        "too_large": standing.too_large,
        "note": each.note or None,
        "reason": each.reason.message if each.reason else None,
        "hint": each.reason.hint if each.reason else None,
        "command": each.command or None,
    }
