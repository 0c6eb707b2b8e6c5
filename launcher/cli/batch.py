"""``launcher ask --batch``: many questions, asked side by side, one JSON line each in the questions' order.

Each line is asked as it comes, and its answer is shown as soon as it and those before it are there: a person
who types, or a program that waits for one answer before it asks the next, need not end the input. A line that
is wrong or fails has an error in its place; it never ends the others.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from launcher.cli import render, streams
from launcher.cli.picture_files import PictureFiles
from launcher.cli.questions import check_takes_pictures, single, to_message, unreadable
from launcher.errors import LauncherError, RequestError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, well_formed
from launcher.presets import Preset
from launcher.settings import quoted, shown
from launcher.workers.answers import Answer
from launcher.workers.manager import Manager

SIDE_BY_SIDE = 128
"""Questions open at once: more than an engine's largest batch, fewer than the manager takes (512)."""

MAX_LINE_BYTES = 4 << 20
"""More than any model reads; a line without end must not fill the memory."""

_MOST_DIGITS = 4300
"""Of a whole number; Python's own limit."""

_LOOK_S = 1.0
"""How often it is looked whether somebody still reads the answers, while there is none to write."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""Around a line; some editors begin a file with a mark of three bytes."""

_FORM = (
    'Each line is one object: {{"question": "…", "images": ["a.png"], "id": 1}};'
    " images and id may be left out."
)


class _Line(BaseModel):
    """One line of the file. ``id`` comes back with the answer, whatever it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    images: list[str] = []
    id: Any = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One line on its way: its answer, or why there is none."""

    line: int
    id: Any
    answer: Answer | LauncherError


@dataclass(slots=True)
class Judged:
    """How many lines can be asked and how many cannot; the number of the first of these, and why."""

    right: int = 0
    wrong: int = 0
    first: tuple[int, LauncherError] | None = None

    @property
    def remark(self) -> str:
        """For a person who waits for the model to load; "" where no line is wrong."""
        if self.first is None:
            return ""
        number, error = self.first
        reason = error.values.get("reason", error.message)
        return (
            f"{self.wrong} of {self.right + self.wrong} lines cannot be asked, line {number} first: {reason}"
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions from a file; relative pictures lie beside it (``base``)."""

    preset: Preset
    options: GenerationOptions
    pictures: PictureFiles
    base: Path

    def run(self, manager: Manager, lines: Iterable[bytes | LauncherError]) -> LauncherError | None:
        """Asks all and prints the answers; returns the first error there was.

        Raises:
            BrokenPipeError: nobody reads the answers any more.
        """
        first: LauncherError | None = None
        for asked in self._asked(manager, lines):
            result = _result(self.preset.name, asked)
            render.data_line(result.data)
            first = first or result.error
        return first

    def judged(self, lines: Iterable[bytes | LauncherError]) -> Judged:
        """What of the lines can be asked, as far as that shows without their pictures."""
        found = Judged()
        for number, line in enumerate(lines, 1):
            try:
                if isinstance(line, LauncherError):
                    raise line
                if not line.strip(_BLANK):
                    continue
                given = _read(number, line)
                to_message(self.preset, well_formed(given.question))
                if given.images:
                    check_takes_pictures(self.preset)
                found.right += 1
            except LauncherError as error:
                found.wrong += 1
                found.first = found.first or (number, error)
        return found

    def _asked(self, manager: Manager, lines: Iterable[bytes | LauncherError]) -> Iterator[_Asked]:
        """In order; while one is read, those after it are answered."""
        window: Queue[_Asked | BaseException | None] = Queue(SIDE_BY_SIDE)

        def ask_each() -> None:
            end: BaseException | None = None
            try:
                for number, line in enumerate(lines, 1):
                    if isinstance(line, LauncherError):
                        window.put(_Asked(number, None, line))
                    elif line.strip(_BLANK):
                        window.put(self._ask(manager, number, line))
            except BaseException as error:  # noqa: BLE001 - raised where the answers are read
                end = error
            window.put(end)

        # It waits for a line, which nothing can end: whoever leaves here leaves it behind, and the manager,
        # once it closes, refuses what it still asks.
        Thread(target=ask_each, name="lines of questions", daemon=True).start()
        while isinstance(asked := _next(window), _Asked):
            yield asked
        if asked is not None:
            raise asked

    def _ask(self, manager: Manager, number: int, line: bytes) -> _Asked:
        given = _Line(question="")
        try:
            given = _read(number, line)
            return _Asked(number, given.id, manager.ask(self.preset.name, self._request(given)))
        except LauncherError as error:
            return _Asked(number, given.id, error)

    def _request(self, given: _Line) -> ChatRequest:
        pictures = self.pictures.find(given.images, self.base)
        question = to_message(self.preset, well_formed(given.question), pictures)
        return single(self.preset, question, self.options, self.pictures.one_tile)


@dataclass(frozen=True, slots=True)
class _Result:
    data: dict[str, Any]
    error: LauncherError | None = None


def lines_of(file: BinaryIO, name: str) -> Iterator[bytes | LauncherError]:
    """Each line as it comes, without waiting for the next; one that is too long, or cannot be read, is an
    error in its place."""
    while True:
        try:
            line = file.readline(MAX_LINE_BYTES)
            too_long = rest = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
            while rest:
                skipped = file.readline(MAX_LINE_BYTES)
                rest = len(skipped) == MAX_LINE_BYTES and not skipped.endswith(b"\n")
        except OSError as error:
            yield unreadable(name, error)
            return
        if not line:
            return
        yield (
            RequestError(
                "The line is longer than the {limit} MiB that a question may have",
                "A line is one question: divide it.",
                limit=MAX_LINE_BYTES >> 20,
            )
            if too_long
            else line
        )


def _next(window: Queue[_Asked | BaseException | None]) -> _Asked | BaseException | None:
    while True:
        try:
            return window.get(timeout=_LOOK_S)
        except Empty:
            if streams.reader_left():
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


def _read(number: int, line: bytes) -> _Line:
    try:
        given = json.loads(line.lstrip(_BLANK).decode(), parse_constant=_no_number, parse_int=_whole_number)
        read = _Line.model_validate(given)
        json.dumps(read.id, allow_nan=False)  # it comes back: 1e999 is a number to no other program either
    except ValidationError as error:
        raise _unusable(number, _told(error.errors()[0])) from error
    except RecursionError as error:
        raise _unusable(number, "Invalid JSON: it is nested too deeply") from error
    except ValueError as error:  # also what is not UTF-8
        raise _unusable(number, f"Invalid JSON: {error}") from error
    return read


def _told(fault: ErrorDetails) -> str:
    where = ".".join(map(str, fault["loc"]))
    if not where:
        return f"{shown(quoted(fault['input']))} is no JSON object"
    if fault["type"] == "missing":
        return f"{where} is missing"
    if fault["type"] == "extra_forbidden":
        return f"{where} is an unknown key"
    return f"{where} is {shown(quoted(fault['input']))}: {fault['msg']}"


def _whole_number(text: str) -> int:
    """As Python reads it, but in words where it has more digits than that takes."""
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has more than {_MOST_DIGITS} digits")
    return int(text)


def _no_number(name: str) -> None:
    """NaN and Infinity, which Python reads and no other program does."""
    raise ValueError(name)


def _unusable(number: int, reason: str) -> RequestError:
    return RequestError("Line {line} cannot be used: {reason}", _FORM, line=number, reason=reason)


def _result(model: str, asked: _Asked) -> _Result:
    label = {"line": asked.line} | ({} if asked.id is None else {"id": asked.id})
    try:
        if isinstance(asked.answer, LauncherError):
            raise asked.answer
        text, last = read_whole(asked.answer)
    except LauncherError as error:
        return _Result(label | {"error": render.error_data(error)}, error)
    return _Result(label | render.answer_data(model, text, last))


def read_whole(answer: Answer) -> tuple[str, Chunk]:
    """All of an answer: its text and its last chunk."""
    parts, last = [], Chunk("")
    for last in answer:
        parts.append(last.text)
    return "".join(parts), last
