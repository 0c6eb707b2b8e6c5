"""The lines of ``launcher ask --batch``: how they are read, what one may hold, and what is said of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from launcher.cli.questions import unreadable
from launcher.errors import LauncherError, RequestError
from launcher.settings import quoted, shown

MAX_LINE_BYTES = 4 << 20
"""More than any model reads; a line without end must not fill the memory."""

_MOST_DIGITS = 4300
"""Of a whole number; Python's own limit."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""Around a line; some editors begin a file with a mark of three bytes."""

_FORM = (
    'Each line is one object: {{"question": "…", "images": ["a.png"], "id": 1}};'
    " images and id may be left out."
)


class Line(BaseModel):
    """One line of the file. ``id`` comes back with the answer, whatever it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    images: list[str] = []
    id: Any = None


def is_blank(line: bytes) -> bool:
    """Whether nothing stands there."""
    return not line.strip(_BLANK)


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


def read_line(number: int, line: bytes) -> Line:
    """What a line asks.

    Args:
        number: what errors call it.
        line: one that is not blank.

    Raises:
        RequestError: it is no question.
    """
    try:
        given = json.loads(line.lstrip(_BLANK).decode(), parse_constant=_no_number, parse_int=_whole_number)
        read = Line.model_validate(given)
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
