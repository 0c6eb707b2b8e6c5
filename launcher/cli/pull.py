"""``launcher pull``: a preset's checkpoint from its hub to this machine, where the launcher finds it.

What is here already and right is not fetched again; a download that was cut goes on where it stopped.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.checkpoints import MODELS_VARIABLE, Hub, Located, locate, own_folder, read_facts
from launcher.cli import render
from launcher.cli.completion import preset_names
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.errors import CheckpointError
from launcher.presets import Preset

if TYPE_CHECKING:
    from launcher.downloads import Destination, Repository


def pull(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET", help="Which model; see: launcher presets", autocompletion=preset_names
        ),
    ],
    *,
    hub: Annotated[
        Hub | None, typer.Option("--from", help="Which hub; without, the first that the preset names.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FOLDER", help="The checkpoint's own folder; without, the hub's usual cache."
        ),
    ] = None,
    presets: PresetPaths = None,
) -> None:
    """Download a model: only what it needs, never code; goes on where it was cut, checks sizes and hashes."""
    catalog = read_catalog(presets)
    chosen = catalog.find(preset)
    if hub is None and to is None and (found := _whole(chosen)):
        render.line(f"{chosen.name} is on this machine: {found.folder}")
        return
    folder = _fetch(chosen, hub, to, _options(to, presets or ()))
    read_facts(folder)
    render.line(f"{chosen.name} is in {folder}")
    render.note(_what_next(chosen, folder))


def _whole(preset: Preset) -> Located | None:
    """The checkpoint, if it is here with nothing missing."""
    found = locate(preset)
    if not isinstance(found, Located):
        return None
    try:
        read_facts(found.folder)
    except CheckpointError:
        return None
    return found


def _hub_and_commands(preset: Preset, wanted: Hub | None, options: Sequence[str]) -> tuple[Hub, str, str]:
    """The hub to ask, what can be typed to ask it again, and what to ask another one, "" for none.

    Raises:
        CheckpointError: the preset names no hub, or not this one.
    """
    hubs = _hubs(preset)
    if not hubs:
        raise CheckpointError(
            "{name} names no hub to download from",
            "Add a line such as hf:org/model to its sources.",
            name=preset.name,
        )
    hub = wanted or next(iter(hubs))
    typed = ["launcher", "pull", preset.name, *options]
    others = [shlex.join([*typed, "--from", other]) for other in hubs if other != hub]
    if hub not in hubs:
        raise CheckpointError(
            "{name} is not on {hub}", "Type: {other}", name=preset.name, hub=hub, other=others[0]
        )
    again = shlex.join([*typed, "--from", hub] if wanted else typed)
    return hub, again, others[0] if others else ""


def _options(to: Path | None, presets: Sequence[Path]) -> list[str]:
    """The options that a command has to have again."""
    return [
        *(["--to", str(to)] if to else []),
        *(word for path in presets for word in ("--presets", str(path))),
    ]


def _hubs(preset: Preset) -> dict[Hub, str]:
    """The model's name on each hub that the preset names, in the preset's order."""
    found: dict[Hub, str] = {}
    for source in preset.sources:
        kind, _, name = source.partition(":")
        if kind == "hf":
            found.setdefault("hf", name)
        elif kind == "modelscope":
            found.setdefault("modelscope", name)
    return found


def _fetch(preset: Preset, wanted: Hub | None, to: Path | None, options: Sequence[str]) -> Path:
    from launcher.cli import pull_view
    from launcher.downloads import (
        Source,
        find_repository,
        new_client,
        plan_download,
    )  # 0.06 s that --help need not cost

    hub, again, instead = _hub_and_commands(preset, wanted, options)
    with new_client() as client:
        repository = find_repository(client, Source(hub, _hubs(preset)[hub], again, instead))
        download = plan_download(repository, _destination(preset, repository, to))
        with pull_view.progress(download) as report:
            return download.run(client, report)


def _destination(preset: Preset, repository: Repository, to: Path | None) -> Destination:
    """Where the launcher will look first: a broken folder is mended in place, the user's own models' folder
    comes next."""
    from launcher.downloads import FolderDestination, HubCacheDestination, modelscope_cache_folder

    if to is not None:
        return FolderDestination(to.expanduser().resolve())
    found = locate(preset)
    if isinstance(found, Located) and not found.source.startswith(("hf:", "modelscope:")):
        return FolderDestination(found.folder)
    if own := own_folder(preset):
        return FolderDestination(own)
    if repository.source.hub == "hf":
        return HubCacheDestination(repository)
    return FolderDestination(modelscope_cache_folder(repository.source.name))


def _what_next(preset: Preset, folder: Path) -> str:
    """How to use what was fetched, or how to make the preset see it where it lies."""
    found = locate(preset)
    if isinstance(found, Located) and found.folder.samefile(folder):
        return f'To ask it, type: launcher ask {preset.name} "…"'
    so_far = f"The launcher takes {found.folder} so far.\n" if isinstance(found, Located) else ""
    if parent := _models_folder(preset, folder):
        export = f"export {MODELS_VARIABLE}={shlex.quote(str(parent))}"
        return f"{so_far}So that the launcher finds this one, type: {export}"
    line = f"put a line first among the sources of {preset.name}:\n  - {folder}"
    return f"{so_far}So that the launcher finds this one, {line}"


def _models_folder(preset: Preset, folder: Path) -> Path | None:
    """What LAUNCHER_MODELS has to be for a source of the preset to lead to the folder."""
    for source in preset.sources:
        below = source.removeprefix(f"${{{MODELS_VARIABLE}}}/")
        if below != source and folder.match(below):
            return folder.parents[len(Path(below).parts) - 1]
    return None
