"""A whole checkpoint: room on the disk first, then file after file, then its place as a model."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from launcher.checkpoints import MAX_JSON_BYTES, CheckpointFacts, WeightFile, facts_in_config
from launcher.downloads.hubs import RemoteFile, Repository
from launcher.downloads.places import Destination
from launcher.downloads.selection import is_weights, needed_files
from launcher.downloads.transfer import Report, bring, read_small
from launcher.errors import CheckpointError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Download:
    """What will be fetched, in order, config.json last, and where to. ``missing_bytes`` are still to come:
    not what is there already."""

    repository: Repository
    destination: Destination
    files: tuple[RemoteFile, ...]
    missing_bytes: int

    def facts(self, client: httpx.Client) -> CheckpointFacts:
        """The model's config as the hub has it, and the sizes of its weight files: asked before any weight is
        fetched; nothing is written.

        Raises:
            CheckpointError: the hub or the network fails, or it is no model's config.
        """
        return _facts(client, self.files)

    def check_room(self) -> None:
        """Raises CheckpointError if the disk has not enough room for what is still to come."""
        folder, again = self.destination.folder, self.repository.source.again
        with _disk_failures_worded(folder, again):
            place = _existing(self.destination.place(self.files[0]).whole.parent)
            free_bytes = shutil.disk_usage(place).free
        if self.missing_bytes > free_bytes:
            raise CheckpointError(
                "{name} needs {needed:.1f} MB more in {folder}, and {free:.1f} MB are free there",
                "Make room, then type again: {again}  (or choose a folder on another disk with --to)",
                again=again,
                name=self.repository.source.name,
                needed=self.missing_bytes / _MB,
                folder=folder,
                free=free_bytes / _MB,
            )

    def run(self, client: httpx.Client, report: Report) -> Path:
        """Fetches everything; what has come stays, whatever happens, and is not fetched again by the next
        run.

        Returns:
            The folder that a model is loaded from.

        Raises:
            CheckpointError: the hub, the network or the disk fails; the message says which.
        """
        with _disk_failures_worded(self.destination.folder, self.repository.source.again):
            for file in self.files:
                bring(client, file, self.destination.place(file), report)
            self.destination.settle(self.files)
        return self.destination.folder


def repository_facts(client: httpx.Client, repository: Repository) -> CheckpointFacts:
    """What ``Download.facts`` says, of a repository that need not be fetched.

    Raises:
        CheckpointError: as ``needed_files`` and ``Download.facts``.
    """
    return _facts(client, needed_files(repository))


def _facts(client: httpx.Client, files: tuple[RemoteFile, ...]) -> CheckpointFacts:
    *others, config = files
    content = read_small(client, config, MAX_JSON_BYTES)
    weights = (WeightFile(file.name, file.size_bytes) for file in others if is_weights(file.name))
    return replace(facts_in_config(content, Path(config.name)), weight_files=tuple(weights))


def plan_download(repository: Repository, destination: Destination) -> Download:
    """Takes what is needed of a repository, and looks what of it is here already.

    Raises:
        CheckpointError: the repository holds no model, or the folder cannot be looked at.
    """
    files = needed_files(repository)
    with _disk_failures_worded(destination.folder, repository.source.again):
        missing_bytes = sum(_missing(destination, file) for file in files)
    return Download(repository, destination, files, missing_bytes)


def _missing(destination: Destination, file: RemoteFile) -> int:
    """Bytes that will be written. A whole file of another size is fetched anew beside it, and only then
    leaves its place."""
    place = destination.place(file)
    if _size(place.whole) == file.size_bytes:
        return 0
    return max(0, file.size_bytes - (_size(place.partial) or 0))


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is: its disk is the one that has to take the files."""
    return next(each for each in (folder, *folder.absolute().parents) if each.is_dir())


@contextmanager
def _disk_failures_worded(folder: Path, again: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CheckpointError(
                "The disk of {folder} is full",
                "Make room, then type again: {again}  (it goes on where it stopped)",
                again=again,
                folder=folder,
            ) from error
        raise CheckpointError(
            "{folder} cannot be written: {reason}",
            "Choose another folder with --to, then type again: {again}",
            again=again,
            folder=folder,
            reason=error.strerror or error,
        ) from error
