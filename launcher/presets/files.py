"""A preset's file -> its YAML, and how a file and what is wrong with it are called in messages."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from launcher.errors import PresetError
from launcher.presets import yaml_tree
from launcher.presets.yaml_tree import YamlError, YamlTree

MAX_FILE_BYTES = 64 * 1024
"""A preset is a page of text; a larger file is something else, and is refused unread."""


class WrongFileError(Exception):
    """All that is wrong with one file."""

    def __init__(self, *errors: PresetError) -> None:
        super().__init__(*errors)
        self.errors = errors


def tree_of(file: Path) -> YamlTree:
    """What stands in a file.

    Raises:
        WrongFileError: it cannot be read, or is no YAML that is allowed here.
    """
    text = _content(file)
    try:
        return yaml_tree.parse(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise fault(file, line, "the file is not UTF-8 text; save it as UTF-8") from error
    except YamlError as wrong:
        raise WrongFileError(fault_error(file, wrong.line, wrong.sentence, wrong.values)) from wrong


def _content(file: Path) -> bytes:
    try:
        number = os.open(
            file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
        )  # a pipe must not hold up the start
        with os.fdopen(number, "rb") as opened:
            facts = os.fstat(number)
            if not stat.S_ISREG(facts.st_mode):
                raise WrongFileError(PresetError("{file}: is not a file", file=shown_file(file)))
            content = opened.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise WrongFileError(
            PresetError("{file}: there is no such file or folder", file=shown_file(file))
        ) from error
    except (OSError, ValueError) as error:
        raise WrongFileError(cannot_be_read(file, error)) from error
    if len(content) > MAX_FILE_BYTES:
        size = max(facts.st_size, len(content))
        raise fault(
            file,
            1,
            "the file has {size} bytes; a preset has at most {limit}",
            size=size,
            limit=MAX_FILE_BYTES,
        )
    return content


def cannot_be_read(file: Path, error: Exception) -> PresetError:
    """What is said of a file or folder that the system, or a defect, does not let us read."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
    else:
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return PresetError("{file}: cannot be read: {reason}", file=shown_file(file), reason=reason)


def fault(file: Path, line: int, sentence: str, **values: object) -> WrongFileError:
    """One thing wrong at a line of a file."""
    return WrongFileError(fault_error(file, line, sentence, values))


def fault_error(file: Path, line: int, sentence: str, values: Mapping[str, object]) -> PresetError:
    """The same as an error, to stand beside others."""
    return PresetError("{file}:{line}: " + sentence, "", file=shown_file(file), line=line, **values)


def shown_file(file: Path) -> str:
    """As short as it can be typed from here."""
    try:
        here = Path.cwd()
    except OSError:  # the folder was deleted
        return printable(file)
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 - Path.resolve would follow links away from what was typed
    return printable(absolute.relative_to(here) if absolute.is_relative_to(here) else file)


def printable(file: Path) -> str:
    """On one line and of letters that any page can show, whatever bytes the name has."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(file))


def real(file: Path) -> str:
    """The file itself, whatever links lead to it. Unlike ``Path.resolve`` it takes a link that leads to
    itself, and a name that no file can have."""
    try:
        return os.path.realpath(file)
    except ValueError:
        return str(file)
