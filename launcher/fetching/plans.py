"""What is fetched for a preset: from which hub, where to, about how much; and whether it can run here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from launcher import families
from launcher.checkpoints import Hub, Located, hub_cache, locate, modelscope_cache, own_folder, read_facts
from launcher.devices import Devices
from launcher.errors import CheckpointError, LauncherError
from launcher.presets import Preset
from launcher.readiness import InstalledEngines, Readiness, assess_facts

if TYPE_CHECKING:
    import httpx

    from launcher.downloads import Destination, Download, Repository


def hubs_of(preset: Preset) -> dict[Hub, str]:
    """The model's name on each hub that the preset names, in the preset's order."""
    found: dict[Hub, str] = {}
    for source in preset.sources:
        kind, _, name = source.partition(":")
        if kind == "hf":
            found.setdefault("hf", name)
        elif kind == "modelscope":
            found.setdefault("modelscope", name)
    return found


def whole(preset: Preset) -> Located | None:
    """The checkpoint, if it is here with nothing missing."""
    found = locate(preset)
    if not isinstance(found, Located):
        return None
    try:
        read_facts(found.folder)
    except CheckpointError:
        return None
    return found


def destination(preset: Preset, repository: Repository) -> Destination:
    """Where the launcher will look first: a broken folder is mended in place, the user's own models' folder
    comes next, then the hub's usual cache."""
    from launcher.downloads import FolderDestination, HubCacheDestination, modelscope_cache_folder

    if folder := _folder_in_use(preset):
        return FolderDestination(folder)
    if repository.source.hub == "hf":
        return HubCacheDestination(repository)
    return FolderDestination(modelscope_cache_folder(repository.source.name))


def _folder_in_use(preset: Preset) -> Path | None:
    """The folder that the files go to whatever the hub; None where they go to the hub's cache."""
    found = locate(preset)
    if isinstance(found, Located) and not found.source.startswith(("hf:", "modelscope:")):
        return found.folder
    return own_folder(preset)


def free_bytes(preset: Preset, hub: Hub) -> int | None:
    """What is free on the disk that ``destination`` is on; None where that cannot be told."""
    try:
        folder = _folder_in_use(preset) or (hub_cache() if hub == "hf" else modelscope_cache())
        return shutil.disk_usage(_existing(folder)).free
    except (LauncherError, OSError):
        return None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    return next(each for each in (folder, *folder.absolute().parents) if each.is_dir())


def known_bytes(preset: Preset) -> int | None:
    """About how much there is to fetch: the weights of the published model that the preset names, without
    asking a hub; None for other models."""
    config = families.known_config(preset.sources)
    return None if config is None else families.model_sizes(config).weight_bytes


def readiness_of(
    preset: Preset, download: Download, client: httpx.Client, devices: Devices, installed: InstalledEngines
) -> Readiness:
    """Where the preset will stand once this is here, by the hub's config.json and the sizes of its weights:
    asked before any weight is fetched.

    Raises:
        CheckpointError: the hub fails, or it is no model's config.
    """
    return assess_facts(preset, download.destination.folder, download.facts(client), devices, installed)
