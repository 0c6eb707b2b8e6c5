"""A whole checkpoint: room on the disk first, then file after file, then its place as a model."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from launcher.downloads.hubs import RemoteFile, Repository
from launcher.downloads.places import Destination
from launcher.downloads.selection import needed_files
from launcher.downloads.transfer import Report, bring
from launcher.errors import CheckpointError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Download:
    """What will be fetched, in order, and where to. ``missing_bytes`` are still to come: not what is there
    already."""

    repository: Repository
    destination: Destination
    files: tuple[RemoteFile, ...]
    missing_bytes: int

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


def plan_download(repository: Repository, destination: Destination) -> Download:
    """Takes what is needed of a repository, and makes sure that it has room.

    Raises:
        CheckpointError: the repository holds no model, or the disk has not enough room.
    """
    files = needed_files(repository)
    with _disk_failures_worded(destination.folder, repository.source.again):
        missing_bytes = sum(_missing(destination, file) for file in files)
        free_bytes = shutil.disk_usage(_existing(destination.place(files[0]).whole.parent)).free
    if missing_bytes > free_bytes:
        raise CheckpointError(
            "{name} needs {needed:.1f} MB more in {folder}, and {free:.1f} MB are free there",
            "Make room, then type again: {again}  (or choose a folder on another disk with --to)",
            again=repository.source.again,
            name=repository.source.name,
            needed=missing_bytes / _MB,
            folder=destination.folder,
            free=free_bytes / _MB,
        )
    return Download(repository, destination, files, missing_bytes)


def _missing(destination: Destination, file: RemoteFile) -> int:
    place = destination.place(file)
    for path in (place.whole, place.partial):
        if path.is_file():
            return max(0, file.size_bytes - path.stat().st_size)
    return file.size_bytes


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
