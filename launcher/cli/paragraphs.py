"""Sentences fitted to the terminal: broken between words; a command in them stays whole, to be copied."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import TextIO

_COMMAND = re.compile(r"(?<=[Tt]ype: )\S.*$")
_NARROWEST = 40


def fitted(text: str, stream: TextIO, margin: int = 0) -> str:
    """The text as it is shown on the stream: fitted to a terminal's width, unchanged for a pipe or a file.

    Args:
        margin: how far all lines are moved to the right.
    """
    width = max(_NARROWEST, shutil.get_terminal_size().columns) if stream.isatty() else 0
    indent = " " * margin
    return "\n".join(line for each in text.splitlines() for line in _lines(each, width, indent))


def _lines(text: str, width: int, indent: str) -> list[str]:
    if not width or len(indent + text) <= width:
        return [indent + text]
    command = _COMMAND.search(text)
    if command is None:
        return textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return [*_lines(text[: command.start()].rstrip(), width, indent), indent + command[0]]
