"""One file from a hub to its place: resumed where it was cut, never longer than announced, moved there once
its hash is right."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import httpx

from launcher.connection_failures import CUT_OFF, what_happened
from launcher.downloads.hubs import RemoteFile
from launcher.downloads.places import Place
from launcher.errors import CheckpointError, Remark

TRIES = 4
"""A connection is taken up again for as long as it brings something; this many times in a row without is the
end."""
PAUSE_S = 1.0
"""Between tries that brought nothing: a router that starts again, a mirror that fetches the file itself."""

_PIECE_BYTES = 2**20
_RANGE = re.compile(r"bytes (\d+)-")
_FINAL = (400, 401, 403, 404, 410)
"""Answers that asking again does not change."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is. ``checking``: its bytes here are being hashed; ``done`` comes once, last."""

    file: str
    stage: Literal["fetching", "checking", "done"]
    done_bytes: int
    size_bytes: int


Report = Callable[[Progress], None]
"""Told before each request, with each piece and at the end. What it raises ends the download, which goes on
from there the next time."""


class _WrongContentError(Exception):
    """What came is not the file that the hub announced."""


def bring(client: httpx.Client, file: RemoteFile, place: Place, report: Report) -> None:
    """Makes sure that the file is in its place, whole and right; what is there and right is not fetched
    again.

    Raises:
        CheckpointError: the hub stops answering, or what it sends is not what it announced.
        OSError: the disk does not take it.
    """
    if not (place.whole.is_file() and _is_right(place.whole, file, report)):
        place.partial.parent.mkdir(parents=True, exist_ok=True)
        with _held(place.partial) as opened:
            _fill(client, file, opened, place, report)
            os.fsync(opened.fileno())
            place.partial.replace(place.whole)
    report(Progress(file.name, "done", file.size_bytes, file.size_bytes))


def read_small(client: httpx.Client, file: RemoteFile, limit_bytes: int) -> bytes:
    """A small file's content, whole and right, without writing anything.

    Raises:
        CheckpointError: it is larger than the limit, the hub stops answering, or what it sends is not what it
            announced.
    """
    if file.size_bytes > limit_bytes:
        raise CheckpointError(
            "{file} on the hub has {size} bytes, more than the {limit} that such a file may have",
            "Check the preset's sources.",
            file=file.name,
            size=file.size_bytes,
            limit=limit_bytes,
        )
    held = io.BytesIO()
    try:
        _transfer(client, file, held, _nothing_told)
        held.seek(0)
        _check_content(file, held, _nothing_told)
    except _WrongContentError:
        raise _spoilt(file) from None
    return held.getvalue()


def _nothing_told(_progress: Progress) -> None:
    """A report of what is too small to be told of."""


@contextmanager
def _held(partial: Path) -> Iterator[BinaryIO]:
    """The unfinished file, for this process alone."""
    with partial.open("ab+", buffering=0) as raw:
        opened: BinaryIO = raw
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(
                "{file} is being downloaded by another program",
                "Wait for it, or stop it first.",
                file=partial,
            ) from error
        yield opened


def _fill(client: httpx.Client, file: RemoteFile, opened: BinaryIO, place: Place, report: Report) -> None:
    """Completes the file. A part kept from before may be what is wrong: then all is fetched once more, from
    the start."""
    kept = opened.seek(0, os.SEEK_END) > 0
    try:
        _transfer(client, file, opened, report)
        _check(file, place.partial, report)
    except _WrongContentError:
        opened.truncate(0)
        if not kept:
            place.partial.unlink()
            raise _spoilt(file) from None
        _fill(client, file, opened, place, report)


def _spoilt(file: RemoteFile) -> CheckpointError:
    return CheckpointError(
        "What came as {file} is not what the hub announced: its size or hash is wrong",
        "A proxy or mirror spoils it: leave it out (unset HF_ENDPOINT), take the other hub (--from),"
        " or try again later.",
        file=file.name,
    )


def _transfer(client: httpx.Client, file: RemoteFile, opened: BinaryIO, report: Report) -> None:
    """Asks for what is missing until nothing is."""
    reason: str | Remark = CUT_OFF
    fruitless = 0
    while (had := opened.seek(0, os.SEEK_END)) < file.size_bytes:
        report(Progress(file.name, "fetching", had, file.size_bytes))
        try:
            reason = _ask_once(client, file, opened, report) or reason
        except httpx.RequestError as error:
            reason = what_happened(error)
        fruitless = 0 if opened.seek(0, os.SEEK_END) > had else fruitless + 1
        if fruitless == TRIES:
            raise CheckpointError(
                "The download of {file} stopped at {had} of {size} bytes: {reason}",
                "Type the command again: it goes on from there.",
                file=file.name,
                had=had,
                size=file.size_bytes,
                reason=reason,
            )
        if fruitless:
            time.sleep(PAUSE_S)
    if opened.seek(0, os.SEEK_END) > file.size_bytes:
        raise _WrongContentError


def _ask_once(client: httpx.Client, file: RemoteFile, opened: BinaryIO, report: Report) -> str:
    """One request for the rest of the file, as far as it comes; returns why nothing came, "" for no reason
    known."""
    had = opened.seek(0, os.SEEK_END)
    asked = {"Range": f"bytes={had}-"} if had else {}
    with client.stream("GET", file.url, headers=asked) as response:
        if not response.is_success:
            return _no_content(file, response, opened)
        is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT and _begins_at(response, had)
        if had and not is_rest:
            opened.truncate(0)  # the whole file comes
            had = 0
        for piece in response.iter_raw():  # as it comes: a larger piece would be lost with the connection
            written = memoryview(piece)
            while written:  # a nearly full disk takes a part of what is written
                written = written[opened.write(written) :]
            had += len(piece)
            report(Progress(file.name, "fetching", had, file.size_bytes))
            if had > file.size_bytes:
                raise _WrongContentError
    return ""


def _begins_at(response: httpx.Response, position: int) -> bool:
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == position


def _no_content(file: RemoteFile, response: httpx.Response, opened: BinaryIO) -> str:
    if response.status_code in _FINAL:
        raise CheckpointError(
            "The hub does not give {file}: HTTP {status}",
            "Type the command again; if it stays so, take the other hub (--from).",
            file=file.name,
            status=response.status_code,
        )
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        opened.truncate(0)
    return f"HTTP {response.status_code}"


def _is_right(path: Path, file: RemoteFile, report: Report) -> bool:
    try:
        _check(file, path, report)
    except _WrongContentError:
        return False
    return True


def _check(file: RemoteFile, path: Path, report: Report) -> None:
    """Size and hash of the bytes as they are on the disk; a file without a hash is known by its size
    alone."""
    if path.stat().st_size != file.size_bytes:
        raise _WrongContentError
    with path.open("rb") as opened:
        _check_content(file, opened, report)


def _check_content(file: RemoteFile, opened: BinaryIO, report: Report) -> None:
    expected = file.sha256 or file.git_sha1
    if not expected:
        return
    found = (
        hashlib.sha256()
        if file.sha256
        else hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)
    )
    done_bytes = 0
    while piece := opened.read(_PIECE_BYTES):
        found.update(piece)
        done_bytes += len(piece)
        report(Progress(file.name, "checking", done_bytes, file.size_bytes))
    if found.hexdigest() != expected:
        raise _WrongContentError
