"""Pictures as a person names them -> checked files: paths, and addresses where the person allowed it. A
document's pages and a video's frames become pictures. It decodes nothing itself."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launcher.cli.run_folder import run_folder
from launcher.documents import Opened, kind_of, open_document
from launcher.errors import PictureError
from launcher.images import check_upload
from launcher.linked_pictures.shown import is_address, shown_address
from launcher.user_folders import typed

_UNSAFE_IN_NAMES = re.compile(r"[^\w.-]")


@dataclass
class PictureFiles:
    """Finds pictures. What it fetches, where that is allowed, and makes of documents lies in what ``folder``
    makes when it is first needed; without one it does neither.

    ``opened`` are the documents and videos so far, by their paths.
    """

    folder: Callable[[], Path] | None = None
    allow_url: bool = False
    opened: dict[Path, Opened] = field(default_factory=dict)
    _fetched: dict[str, Path] = field(default_factory=dict)

    @property
    def one_tile(self) -> frozenset[Path]:
        """See ``ChatRequest``: all that came from documents and videos."""
        return frozenset(path for opened in self.opened.values() for path in opened.pictures)

    def find(self, names: Sequence[str], base: Path) -> tuple[Path, ...]:
        """Absolute paths of pictures that passed ``launcher.images.check_upload``; relative ones are taken
        from ``base``. A document stands for its pages.

        Raises:
            PictureError: one is neither a picture nor a document, outside the limits, or an address that may
                not or cannot be fetched.
        """
        paths = tuple(
            self._fetch(name) if is_address(name) else _on_this_machine(name, base) for name in names
        )
        found = tuple(picture for path in paths for picture in self._pictures_in(path))
        for path in found:
            check_upload(path)
        return found

    def _pictures_in(self, path: Path) -> tuple[Path, ...]:
        if self.folder is None or kind_of(path) is None:
            return (path,)
        if path not in self.opened:
            own = Path(tempfile.mkdtemp(dir=self.folder()))

            def store(name: str, content: bytes) -> Path:
                (own / name).write_bytes(content)
                return own / name

            self.opened[path] = open_document(path, store)
        return self.opened[path].pictures

    def _fetch(self, address: str) -> Path:
        """The file an address holds, fetched once."""
        if self.folder is None or not self.allow_url:
            raise PictureError(
                "{address} is an address: nothing is fetched from the network unasked",
                "Save the picture and give its path. launcher ask fetches it when told to with --allow-url.",
                address=shown_address(address),
            )
        if address not in self._fetched:
            import asyncio

            from launcher.linked_pictures.fetching import fetched

            content = asyncio.run(fetched(address))
            path = Path(tempfile.mkdtemp(dir=self.folder())) / (_name_in(address) or "picture")
            path.write_bytes(content)
            self._fetched[address] = path
        return self._fetched[address]


@contextmanager
def picture_files(*, allow_url: bool = False) -> Iterator[PictureFiles]:
    """A finder of pictures. What it fetched and made is deleted afterwards."""
    with ExitStack() as stack:
        yield PictureFiles(cache(lambda: stack.enter_context(run_folder())), allow_url)


def _on_this_machine(name: str, base: Path) -> Path:
    try:
        path = (base / typed(name)).resolve()
        is_there = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL
        raise PictureError(
            "{name} is not a file that can be read", "Give the picture file itself.", name=name
        ) from error
    if not is_there:
        raise PictureError(
            "There is no file {name} in {folder}", "Check the path.", name=path.name, folder=path.parent
        )
    return path


def _name_in(address: str) -> str:
    """A name for the file: the end of the address's path, harmless as a file name."""
    return _UNSAFE_IN_NAMES.sub("_", unquote(urlsplit(address).path).rpartition("/")[2])[-80:].lstrip(".")
