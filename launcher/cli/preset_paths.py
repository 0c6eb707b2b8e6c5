"""The ``--presets`` option, and reading what it names: the same for every command that takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from launcher.cli import render
from launcher.presets import Catalog, read_presets
from launcher.user_folders import typed

PresetPaths = Annotated[
    list[Path] | None,
    typer.Option(
        "--presets",
        metavar="PATH",
        parser=typed,
        help="Preset file or folder instead of the built-in ones and your own.",
    ),
]


def read_catalog(paths: PresetPaths) -> Catalog:
    """The presets that can be used; what is wrong with others is said on standard error."""
    catalog = read_presets(paths or ())
    render.preset_errors(catalog.errors)
    return catalog
