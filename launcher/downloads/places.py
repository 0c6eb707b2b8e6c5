"""Where a checkpoint's files go: a plain folder, or Hugging Face's cache in the layout that all its programs
share.

A file is written beside its place under a name of its own, bound to its content's hash, and moved there when
it is whole.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from launcher.checkpoints import hub_cache, modelscope_cache
from launcher.downloads.hubs import RemoteFile, Repository


@dataclass(frozen=True, slots=True)
class Place:
    """Where a whole file lies, and where it lies while it comes in."""

    whole: Path
    partial: Path


class Destination(ABC):
    """Where a repository's files go."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder that a model is loaded from."""

    @abstractmethod
    def place(self, file: RemoteFile) -> Place:
        """Where this file goes."""

    @abstractmethod
    def settle(self, files: tuple[RemoteFile, ...]) -> None:
        """Makes a checkpoint of the files, all of which are in their places.

        Raises:
            OSError: the folder cannot be written.
        """


class FolderDestination(Destination):
    """A folder of plain files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self._folder

    def place(self, file: RemoteFile) -> Place:
        """Beside each other; the unfinished one's name carries the hash, so that never two versions are
        mixed."""
        mark = (file.sha256 or file.git_sha1 or str(file.size_bytes))[:12]
        return Place(self._folder / file.name, self._folder / f"{file.name}.{mark}.part")

    def settle(self, files: tuple[RemoteFile, ...]) -> None:
        """Nothing is left to do."""


class HubCacheDestination(Destination):
    """Hugging Face's cache: blobs by hash, a snapshot of links to them for each commit, and what ``main`` is
    now.

    The layout is documented by Hugging Face ("Understand caching"), and its own programs find what lies
    there.

    Raises:
        RequestError: the user's home is not known, where the cache is.
    """

    def __init__(self, repository: Repository) -> None:
        self._storage = hub_cache() / f"models--{repository.source.name.replace('/', '--')}"
        self._revision = repository.revision

    @property
    def folder(self) -> Path:
        """The snapshot of this commit."""
        return self._storage / "snapshots" / self._revision

    def place(self, file: RemoteFile) -> Place:
        """Among the blobs, by hash."""
        blob = self._storage / "blobs" / (file.sha256 or file.git_sha1)
        return Place(blob, blob.with_name(f"{blob.name}.incomplete"))

    def settle(self, files: tuple[RemoteFile, ...]) -> None:
        """Links the snapshot, then lets ``main`` be this commit: until then an older download stays the one
        in use."""
        for file in files:
            self._link(file)
        main = self._storage / "refs" / "main"
        main.parent.mkdir(parents=True, exist_ok=True)
        main.write_text(self._revision, encoding="ascii")

    def _link(self, file: RemoteFile) -> None:
        blob, link = self.place(file).whole, self.folder / file.name
        if link.exists() and link.samefile(blob):
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f"{link.name}.new")
        fresh.unlink(missing_ok=True)
        try:
            fresh.symlink_to(os.path.relpath(blob, link.parent))
        except OSError:  # a file system without links: the file itself goes there, as huggingface_hub does it
            blob.replace(link)
            return
        fresh.replace(link)


def modelscope_cache_folder(name: str) -> Path:
    """Where ModelScope's own package puts a model today; a dot in a name is written as three underscores
    there.

    Raises:
        RequestError: the user's home is not known.
    """
    cache = modelscope_cache()
    models = cache / "models" if os.environ.get("MODELSCOPE_CACHE") else cache / "hub" / "models"
    return models / name.replace(".", "___")
