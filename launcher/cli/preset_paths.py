"""How a preset is named: the argument PRESET and the option ``--presets``, the same for every command that
takes them; and reading what that names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from launcher.cli import render
from launcher.cli.completion import preset_names
from launcher.presets import Catalog, read_presets
from launcher.user_folders import typed

OnePreset = Annotated[
    str,
    typer.Argument(metavar="PRESET", help="Which model; see: launcher presets", autocompletion=preset_names),
]
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
