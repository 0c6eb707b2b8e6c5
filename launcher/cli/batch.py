"""``launcher ask --batch``: many questions, asked side by side, one JSON line each in the questions' order.

Each line is asked as it comes, and its answer is shown as soon as it and those before it are there: a person
who types, or a program that waits for one answer before it asks the next, need not end the input. A line that
is wrong or fails has an error in its place; it never ends the others.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

from launcher.cli import render, streams
from launcher.cli.batch_lines import Line, is_blank, read_line
from launcher.cli.picture_files import PictureFiles
from launcher.cli.questions import check_takes_pictures, single, to_message
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, well_formed
from launcher.presets import Preset
from launcher.workers.answers import Answer
from launcher.workers.manager import Manager

SIDE_BY_SIDE = 128
"""Questions open at once: more than an engine's largest batch, fewer than the manager takes (512)."""

_LOOK_S = 1.0
"""How often it is looked whether somebody still reads the answers, while there is none to write."""


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
                if is_blank(line):
                    continue
                given = read_line(number, line)
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
                    elif not is_blank(line):
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
        given = Line(question="")
        try:
            given = read_line(number, line)
            return _Asked(number, given.id, manager.ask(self.preset.name, self._request(given)))
        except LauncherError as error:
            return _Asked(number, given.id, error)

    def _request(self, given: Line) -> ChatRequest:
        pictures = self.pictures.find(given.images, self.base)
        question = to_message(self.preset, well_formed(given.question), pictures)
        return single(self.preset, question, self.options, self.pictures.one_tile)


@dataclass(frozen=True, slots=True)
class _Result:
    data: dict[str, Any]
    error: LauncherError | None = None


def _next(window: Queue[_Asked | BaseException | None]) -> _Asked | BaseException | None:
    while True:
        try:
            return window.get(timeout=_LOOK_S)
        except Empty:
            if streams.reader_left():
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None


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
