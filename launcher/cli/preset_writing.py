"""A preset of the user's own as commands write it: a few keys with notes above them; what is not there is as
usual."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def preset_text(notes: Sequence[str], keys: Mapping[str, object]) -> str:
    """A preset's file. Values are what JSON can say, which is YAML too; a list has a line for each of its
    entries."""
    return "".join(f"{line}\n" for line in [*(f"# {note}" for note in notes), *_lines(keys)])


def _lines(keys: Mapping[str, object]) -> Iterator[str]:
    for key, value in keys.items():
        if isinstance(value, list):
            yield f"{key}:"
            yield from (f"  - {_json(each)}" for each in value)
        else:
            yield f"{key}: {_json(value)}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def write_preset(file: Path, text: str, *, force: bool = False) -> None:
    """Makes the file, and the folders above it; over one that is there with ``force`` alone.

    Raises:
        FileExistsError: it is there, or came meanwhile.
        OSError: the system refuses.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w" if force else "x", encoding="utf-8") as opened:
        opened.write(text)
