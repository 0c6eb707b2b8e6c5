"""``launcher presets``: what there is and where it stands; ``--check``: are files right; ``--schema``: for
editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from launcher.cli import presets_view, render
from launcher.cli.preset_standing import standing
from launcher.devices import read_devices
from launcher.errors import PresetError
from launcher.presets import Catalog, json_schema, read_presets
from launcher.readiness import assess, installed_engines
from launcher.user_folders import typed


def presets(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            parser=typed,
            help="Preset files or folders of them; without, the built-in ones and your own.",
        ),
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only check that the files are right.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of preset files, for editors.")
    ] = False,
) -> None:
    """List the presets and whether they can run here."""
    if schema:
        render.data(json_schema())
        return
    catalog = read_presets(paths or ())
    render.preset_errors(catalog.errors)
    if check:
        presets_view.presets_checked(catalog.presets)
    else:
        _list(catalog, as_json=as_json)
    if catalog.errors:
        raise typer.Exit(PresetError.exit_code)


def _list(catalog: Catalog, *, as_json: bool) -> None:
    devices, installed = read_devices(), installed_engines()
    found = [standing(assess(preset, devices, installed), devices, installed) for preset in catalog.presets]
    if as_json:
        render.data([presets_view.standing_data(each) for each in found])
    elif found:
        presets_view.standing_table(found)
        presets_view.replacing(catalog.replacing)
