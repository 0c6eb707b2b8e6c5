"""Pictures as a person names them -> checked files: paths, and addresses where the person allowed it. A
document's pages and a video's frames become pictures. It decodes nothing itself."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from launcher.cli.run_folder import run_folder
from launcher.documents import Opened, kind_of, open_document
from launcher.errors import PictureError
from launcher.images import DEFAULT_LIMITS, check_upload
from launcher.user_folders import typed

if TYPE_CHECKING:
    import httpx

SILENCE_S = 10.0
"""A server that says nothing for so long is given up."""

FETCH_S = 60.0
"""For one picture in all: a server that drips bytes must not hold up the command."""

MAX_REDIRECTS = 5
_MAX_ADDRESS_SHOWN = 100
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UNSAFE_IN_NAMES = re.compile(r"[^\w.-]")


@dataclass
class PictureFiles:
    """Finds pictures. What it fetches, where that is allowed, and makes of documents lies in ``folder``;
    without one it does neither.

    ``opened`` are the documents and videos so far, by their paths.
    """

    folder: Path | None = None
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
            self._fetch(name) if _ADDRESS.match(name) else _on_this_machine(name, base) for name in names
        )
        found = tuple(picture for path in paths for picture in self._pictures_in(path))
        for path in found:
            check_upload(path)
        return found

    def _pictures_in(self, path: Path) -> tuple[Path, ...]:
        if self.folder is None or kind_of(path) is None:
            return (path,)
        if path not in self.opened:
            own = Path(tempfile.mkdtemp(dir=self.folder))

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
                address=_shown(address),
            )
        if address not in self._fetched:
            _check_address(address)
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            self._fetched[address] = folder / (_name_in(address) or "picture")
            _download(address, self._fetched[address])
        return self._fetched[address]


@contextmanager
def picture_files(*, allow_url: bool = False) -> Iterator[PictureFiles]:
    """A finder of pictures. What it fetched and made is deleted afterwards."""
    with run_folder() as folder:
        yield PictureFiles(folder, allow_url)


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


def _check_address(address: str) -> None:
    try:
        scheme = urlsplit(address).scheme
    except ValueError:  # brackets without an end
        scheme = ""
    if scheme not in ("http", "https"):
        raise PictureError(
            "{address} cannot be fetched: only http and https addresses can",
            "Check the address.",
            address=_shown(address),
        )


def _download(address: str, file: Path) -> None:
    """Writes what the address holds to the file, bounded in bytes and seconds."""
    import httpx

    from launcher.downloads.client import new_client
    from launcher.downloads.names import Names
    from launcher.downloads.redirects import forbidden_target

    names = Names()

    def check_redirect(response: httpx.Response) -> None:
        if target := forbidden_target(response, names):
            raise _not_fetched(address, f"it leads to {target}, which is not followed")

    client = new_client(
        names,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"response": [check_redirect]},
        timeout=SILENCE_S,
    )
    # Uncompressed: a few bytes on the wire must not become gigabytes here.
    try:
        with client, client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            _write(response, address, file)
    except httpx.HTTPStatusError as error:
        reason = f"the server said {error.response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
    else:
        return
    raise _not_fetched(address, reason)


def _not_fetched(address: str, reason: str) -> PictureError:
    return PictureError(
        "{address} could not be fetched: {reason}",
        "Open it in a browser, or save the picture and give its path.",
        address=_shown(address),
        reason=reason,
    )


def _write(response: httpx.Response, address: str, file: Path) -> None:
    limit_bytes = DEFAULT_LIMITS.max_bytes
    until_s = time.monotonic() + FETCH_S
    taken_bytes = 0
    with file.open("wb") as target:
        for piece in response.iter_raw():
            taken_bytes += len(piece)
            if taken_bytes > limit_bytes:
                raise PictureError(
                    "{address} is larger than the {limit_mb:g} MB a picture may have",
                    "Make the picture smaller, or save it as JPEG.",
                    address=_shown(address),
                    limit_mb=limit_bytes / 1e6,
                )
            if time.monotonic() > until_s:
                raise PictureError(
                    "{address} took longer than {seconds:.0f} s to fetch",
                    "Save the picture and give its path.",
                    address=_shown(address),
                    seconds=FETCH_S,
                )
            target.write(piece)


def _name_in(address: str) -> str:
    """A name for the file: the end of the address's path, harmless as a file name."""
    return _UNSAFE_IN_NAMES.sub("_", unquote(urlsplit(address).path).rpartition("/")[2])[-80:].lstrip(".")


def _shown(address: str) -> str:
    """The address without a password, what comes after "?", and control characters."""
    scheme, _, rest = re.split(r"[?#]", address, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    plain = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    safe = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return safe if len(safe) <= _MAX_ADDRESS_SHOWN else f"{safe[: _MAX_ADDRESS_SHOWN - 1]}…"
