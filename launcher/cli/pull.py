"""``launcher pull``: a preset's checkpoint from its hub to this machine, where the launcher finds it.

What is here already and right is not fetched again; a download that was cut goes on where it stopped.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.checkpoints import MODELS_VARIABLE, Hub, Located, download_commands, locate, read_facts
from launcher.cli import render
from launcher.cli.local_weights import check_runs_here
from launcher.cli.preset_paths import OnePreset, PresetPaths, read_catalog
from launcher.commands_here import command
from launcher.devices import Devices, read_devices
from launcher.errors import CheckpointError, DeviceError, LauncherError
from launcher.fetching import plans
from launcher.presets import Preset
from launcher.readiness import InstalledEngines, Readiness, assess, installed_engines
from launcher.user_folders import typed

if TYPE_CHECKING:
    import httpx

    from launcher.downloads import Destination, Download, Repository

_BELOW_MODELS = re.compile(rf"\$(\{{{MODELS_VARIABLE}\}}|{MODELS_VARIABLE})/(?P<below>.+)")


def pull(
    preset: OnePreset,
    *,
    hub: Annotated[
        Hub | None, typer.Option("--from", help="Which hub; without, the first that the preset names.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            parser=typed,
            help="The checkpoint's own folder; without, the hub's usual cache.",
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Download it though it cannot run on this machine as it is.")
    ] = False,
    presets: PresetPaths = None,
) -> None:
    """Download a model that can run here: only what it needs, never code; goes on where it was cut."""
    chosen = read_catalog(presets).find(preset)
    check_runs_here(chosen)
    if hub is None and to is None and (found := plans.whole(chosen)):
        render.line(f"{chosen.name} is on this machine: {found.folder}")
        return
    folder = _fetch(chosen, hub, to, anyway=anyway)
    read_facts(folder)
    render.line(f"{chosen.name} is in {folder}")
    render.note(_what_next(chosen, folder))


def _hub_and_commands(
    preset: Preset, wanted: Hub | None, to: Path | None, *, anyway: bool
) -> tuple[Hub, str, str]:
    """The hub to ask, what can be typed to ask it again, and what to ask another one, "" for none.

    Raises:
        CheckpointError: the preset names no hub, or not this one; what to type instead.
    """
    hubs = plans.hubs_of(preset)
    if not hubs:
        raise _no_hub(preset)
    hub = wanted or next(iter(hubs))
    words = ("pull", preset.name, *(("--to", to) if to else ()), *(("--anyway",) if anyway else ()))
    others = [command(*words, "--from", other, presets=preset.given) for other in hubs if other != hub]
    if hub not in hubs:
        raise CheckpointError(
            "{name} is not on {hub}", "Type: {other}", name=preset.name, hub=hub, other=others[0]
        )
    again = command(*words, *(["--from", hub] if wanted else []), presets=preset.given)
    return hub, again, others[0] if others else ""


def _no_hub(preset: Preset) -> CheckpointError:
    """Why there is nothing to fetch of a preset that names no hub, and what to type instead."""
    here, asking = plans.whole(preset), command("ask", preset.name, "…", presets=preset.given)
    if here is not None and here.source.startswith("builtin:"):
        return CheckpointError(
            "{name} is part of the launcher: there is nothing to download",
            "To ask it, type: {command}",
            name=preset.name,
            command=asking,
        )
    if here is not None:
        return CheckpointError(
            "{name} names no hub to download from, and is on this machine: {folder}",
            "To ask it, type: {command}",
            name=preset.name,
            folder=here.folder,
            command=asking,
        )
    if made := download_commands(preset):
        return CheckpointError(
            "{name} is on no hub: it is made on this machine of the model in 16 bits",
            "To make it, type: {command}",
            name=preset.name,
            command=made[0],
        )
    return CheckpointError(
        "{name} names no hub to download from",
        "Add a line such as hf:org/model to its sources.",
        name=preset.name,
    )


def _fetch(preset: Preset, wanted: Hub | None, to: Path | None, *, anyway: bool) -> Path:
    from launcher.cli import pull_view
    from launcher.downloads import (
        Source,
        find_repository,
        new_client,
        plan_download,
    )  # 0.06 s that --help need not cost

    hub, again, instead = _hub_and_commands(preset, wanted, to, anyway=anyway)
    with new_client() as client:
        repository = find_repository(client, Source(hub, plans.hubs_of(preset)[hub], again, instead))
        download = plan_download(repository, _destination(preset, repository, to))
        _check_can_run(preset, download, client, anyway=anyway)
        download.check_room()
        with pull_view.progress(download) as report:
            return download.run(client, report)


def _check_can_run(preset: Preset, download: Download, client: httpx.Client, *, anyway: bool) -> None:
    """Looks at config.json before any weight is fetched.

    Raises:
        LauncherError: why the model cannot run here; with ``anyway`` only what no machine changes.
    """
    reason = _why_not(lambda *machine: plans.readiness_of(preset, download, client, *machine))
    if reason is None:
        return
    if isinstance(reason, CheckpointError):
        raise reason
    if not anyway:
        render.note(
            f"Nothing was downloaded. For another machine, type: {download.repository.source.again} --anyway"
        )
        raise reason
    render.note(f"It cannot run here as it is: {reason.message}")


def _why_not(assessed: Callable[[Devices, InstalledEngines], Readiness]) -> LauncherError | None:
    """What stands between the model and an answer on this machine."""
    try:
        return assessed(read_devices(), installed_engines()).reason
    except DeviceError as error:
        return error


def _destination(preset: Preset, repository: Repository, to: Path | None) -> Destination:
    from launcher.downloads import FolderDestination

    return plans.destination(preset, repository) if to is None else FolderDestination(to.absolute())


def _what_next(preset: Preset, folder: Path) -> str:
    """How to use what was fetched, or how to make the preset see it where it lies."""
    found = locate(preset)
    if isinstance(found, Located) and found.folder.samefile(folder):
        if reason := _why_not(lambda *machine: assess(preset, *machine)):
            return f"It cannot run here as it is: {reason}"
        return f"To ask it, type: {command('ask', preset.name, '…', presets=preset.given)}"
    so_far = f"The launcher takes {found.folder} so far.\n" if isinstance(found, Located) else ""
    if parent := _models_folder(preset, folder):
        export = f"export {MODELS_VARIABLE}={shlex.quote(str(parent))}"
        return f"{so_far}So that the launcher finds this one, type: {export}"
    line = json.dumps(str(folder), ensure_ascii=False)  # as YAML takes it, whatever is in it
    return (
        f"{so_far}So that the launcher finds this one, put a line first among the sources of {preset.name}:\n"
        f"  - {line}"
    )


def _models_folder(preset: Preset, folder: Path) -> Path | None:
    """What LAUNCHER_MODELS has to be for a source of the preset to lead to the folder."""
    for source in preset.sources:
        found = _BELOW_MODELS.fullmatch(source)
        if found and folder.match(found["below"]):
            return folder.parents[len(Path(found["below"]).parts) - 1]
    return None
