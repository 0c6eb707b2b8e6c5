"""Reads a document or a video in a process of its own, and makes pictures of what that says."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from msgspec import DecodeError
from PIL import Image

from launcher.documents.kinds import ACCEPTED, Kind, kind_of
from launcher.documents.limits import CPU_S, MAX_BYTES, MAX_PICTURES, MAX_VIDEO_S, WALL_S
from launcher.documents.told import LONGEST_LINE, End, Found, Picture, Refused, Told, decode
from launcher.errors import PictureError
from launcher.images import shown_name

Store = Callable[[str, bytes], Path]
"""A picture's file name and content -> where it lies from now on."""

_ONE_AT_A_TIME = threading.Lock()
_READER = "launcher.documents.reader"
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
"""Variables that the reading process needs; it gets no other."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Pictures of a document's pages or a video's frames, in order; ``count`` is how many of these it has."""

    pictures: tuple[Path, ...]
    count: int
    is_video: bool


def open_document(path: Path, store: Store) -> Opened:
    """The pictures of a document or a video. Waits while another one is read.

    Raises:
        PictureError: it is none, outside the limits, locked, damaged, or has no picture.
        OSError: a picture could not be stored.
    """
    kind = kind_of(path)
    if kind is None:
        raise PictureError(
            "{name} is not a document or a video that can be opened",
            "Give one of these: {formats}.",
            name=shown_name(path),
            formats=ACCEPTED,
        )
    _check_size(path)
    stem, ending = path.stem[:60], ("png" if kind == "pdf" else "jpg")
    count, pictures = 0, list[Path]()
    with _ONE_AT_A_TIME, _reading(path, kind) as said:
        for each in _read(said, path):
            if isinstance(each, Found):
                count = each.count
            else:
                name = f"{stem}-{len(pictures) + 1}.{ending}"
                pictures.append(store(name, _encoded(each, ending)))
    return Opened(tuple(pictures), max(count, len(pictures)), is_video=kind != "pdf")


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise PictureError(
            "{name} has {size_mb:.1f} MB, more than the {limit_mb:g} MB a document or a video may have",
            "Make it smaller, or give pictures of what matters.",
            name=shown_name(path),
            size_mb=size / 1e6,
            limit_mb=MAX_BYTES / 1e6,
        )


@contextmanager
def _reading(path: Path, kind: Kind) -> Iterator[IO[bytes]]:
    """What the process says; it is gone afterwards, however far it came."""
    import subprocess  # here, so that who only knows of documents starts nothing (tests/fast.py)

    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with path.open("rb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", _READER, kind, str(CPU_S)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    late = threading.Timer(WALL_S, process.kill)
    late.start()
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        late.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _read(said: IO[bytes], path: Path) -> Iterator[Found | Image.Image]:
    """Raises PictureError for a refusal, and for a process that ended before it said all."""
    taken = 0
    while not isinstance(told := _line(said, path), End):
        if isinstance(told, Refused):
            raise _refusal(told, path)
        if isinstance(told, Picture):
            taken += 1
            size = told.width * told.height * 3
            pixels = said.read(size)
            if taken > MAX_PICTURES or len(pixels) < size:
                raise _ended(path)
            yield Image.frombytes("RGB", (told.width, told.height), pixels)
        else:
            yield told


def _line(said: IO[bytes], path: Path) -> Told:
    try:
        told: Told = decode(said.readline(LONGEST_LINE))
    except DecodeError as error:
        raise _ended(path) from error
    return told


def _ended(path: Path) -> PictureError:
    return PictureError(
        "{name} takes too much time or memory to be opened safely",
        "Give fewer pages, a shorter or smaller video, or pictures of what matters.",
        name=shown_name(path),
    )


def _refusal(refused: Refused, path: Path) -> PictureError:
    name = shown_name(path)
    match refused.reason:
        case "locked":
            return PictureError(
                "{name} is locked with a password", "Save it without one, and give that file.", name=name
            )
        case "empty":
            return PictureError("{name} has no pages", "Give another file.", name=name)
        case "no picture":
            return PictureError(
                "{name} has no picture in it", "Give a video that shows something, or pictures.", name=name
            )
        case "too long":
            return PictureError(
                "{name} lasts {minutes:.0f} minutes; a video may last {limit} at most",
                "Cut it to what matters.",
                name=name,
                minutes=refused.seconds / 60,
                limit=MAX_VIDEO_S // 60,
            )
    return PictureError(
        "{name} is damaged, or of a kind that cannot be read",
        "Save it again as PDF or as MP4 (H.264), or give pictures of it.",
        name=name,
    )


def _encoded(picture: Image.Image, ending: str) -> bytes:
    """Pages exactly, as they have letters; frames as the photographs that they are."""
    file = io.BytesIO()
    if ending == "png":
        picture.save(file, "PNG", compress_level=6)
    else:
        picture.save(file, "JPEG", quality=90)
    return file.getvalue()
