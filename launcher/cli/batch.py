"""``launcher ask --batch``: many questions, asked side by side, one JSON line each in the questions' order.

A line that is wrong or fails has an error in its place; it never ends the others.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.cli import render
from launcher.cli.picture_files import PictureFiles
from launcher.cli.questions import single, to_message
from launcher.errors import LauncherError, RequestError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, well_formed
from launcher.presets import Preset
from launcher.workers.answers import Answer
from launcher.workers.manager import Manager

SIDE_BY_SIDE = 128
"""Questions open at once: more than an engine's largest batch, fewer than the manager takes (512)."""

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


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions from a file; relative pictures lie beside it (``base``)."""

    preset: Preset
    options: GenerationOptions
    pictures: PictureFiles
    base: Path

    def run(self, manager: Manager, lines: Iterable[bytes]) -> LauncherError | None:
        """Asks all and prints the answers; returns the first error there was."""
        first: LauncherError | None = None
        for asked in self._asked(manager, lines):
            result = _result(self.preset.name, asked)
            render.data_line(result.data)
            first = first or result.error
        return first

    def _asked(self, manager: Manager, lines: Iterable[bytes]) -> Iterator[_Asked]:
        """In order; while one is read, those after it are answered."""
        window: deque[_Asked] = deque()
        try:
            for number, line in enumerate(lines, 1):
                if line.strip(_BLANK):
                    window.append(self._ask(manager, number, line))
                if len(window) >= SIDE_BY_SIDE:
                    yield window.popleft()
            while window:
                yield window.popleft()
        finally:
            for left in window:
                if isinstance(left.answer, Answer):
                    left.answer.cancel()

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
        return single(self.preset, question, self.options)


@dataclass(frozen=True, slots=True)
class _Result:
    data: dict[str, Any]
    error: LauncherError | None = None


def _read(number: int, line: bytes) -> _Line:
    try:
        given = json.loads(line.lstrip(_BLANK).decode(), parse_constant=_no_number)
        return _Line.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        reason = f"{where}: {fault['msg']}" if where else fault["msg"]
        raise _unusable(number, reason) from error
    except (ValueError, RecursionError) as error:  # also what is not UTF-8
        raise _unusable(number, f"Invalid JSON: {error}") from error


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
