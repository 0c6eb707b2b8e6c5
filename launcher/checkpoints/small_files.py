"""The files beside a checkpoint's weights that its tokenizer and config are read from, bounded before
anything else reads them: in bytes, and JSON in depth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.checkpoints import tokenizer_files
from launcher.errors import CheckpointError
from launcher.user_folders import is_file

_ALONE = "preprocessor_config.json"
_TOGETHER, _PART = "processor_config.json", "image_processor"
"""transformers 5 writes how pictures are prepared there, and looks there first."""

MAX_JSON_BYTES = 4 * 2**20
"""A published config has a few kB, a tokenizer_config.json with a thousand added tokens 200 kB."""
MAX_TOKENIZER_BYTES = 64 * 2**20
"""The largest published vocabularies have 17 MB."""
MAX_TEMPLATE_BYTES = 2**20
"""The longest published chat templates have 20 kB."""
MAX_DEPTH = 32
"""Lists and objects in one another; published files have at most 5."""

_Check = Callable[[Mapping[str, Any], Path], None]
JSON_FILES: Mapping[str, _Check] = {
    "tokenizer_config.json": tokenizer_files.check_tokenizer_config,
    "special_tokens_map.json": tokenizer_files.check_tokenizer_config,
    "added_tokens.json": tokenizer_files.check_added_tokens,
    "generation_config.json": tokenizer_files.check_generation,
    _ALONE: lambda _values, _file: None,
    _TOGETHER: lambda _values, _file: None,
    "video_preprocessor_config.json": lambda _values, _file: None,  # LMDeploy has it read with the others
}
"""Files beside config.json, and what looks at each: that of pictures is the families'."""
TOKENIZERS = ("tokenizer.model", "tokenizer.json", "vocab.json")

_TEMPLATE = "chat_template.jinja"

ACCESS = "May this user read it? Look with: ls -l"
AGAIN = "Download the model again; files that are whole are not fetched twice."


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file that was read, and the JSON object in it."""

    file: Path
    values: Mapping[str, Any]


def check_small_files(folder: Path) -> None:
    """Raises CheckpointError where one of those that are there is too large, broken, or has a value that
    stops transformers."""
    for name, check in JSON_FILES.items():
        check(json_in(folder / name), folder / name)
    for name in TOKENIZERS:
        if is_file(folder / name) and (size := (folder / name).stat().st_size) > MAX_TOKENIZER_BYTES:
            raise CheckpointError(
                "{file} has {size} bytes; no tokenizer has more than {limit}",
                AGAIN,
                file=folder / name,
                size=size,
                limit=MAX_TOKENIZER_BYTES,
            )
    if is_file(folder / _TEMPLATE) and (size := (folder / _TEMPLATE).stat().st_size) > MAX_TEMPLATE_BYTES:
        raise CheckpointError(
            "{file} has {size} bytes; no chat template has more than {limit}",
            AGAIN,
            file=folder / _TEMPLATE,
            size=size,
            limit=MAX_TEMPLATE_BYTES,
        )


def own_preprocessing(folder: Path) -> SmallFile:
    """The file that says how the checkpoint's pictures are prepared, and what it says; nothing, where there
    is none. Raises CheckpointError: it cannot be read."""
    together = json_in(folder / _TOGETHER).get(_PART)
    if isinstance(together, dict):
        return SmallFile(folder / _TOGETHER, together)
    return SmallFile(folder / _ALONE, json_in(folder / _ALONE))


def chat_template(folder: Path) -> str | None:
    """The template that its tokenizer carries, in one of the places that transformers looks in; None for
    none. For a folder that ``check_small_files`` has let through.

    Raises:
        CheckpointError: it is no text.
    """
    if is_file(folder / _TEMPLATE):
        return text_in(folder / _TEMPLATE, MAX_TEMPLATE_BYTES)
    found = json_in(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(found, list):  # several with names, of which the default is used
        found = {each["name"]: each["template"] for each in found}.get("default")
    return found or None


def json_in(file: Path) -> dict[str, Any]:
    """The JSON object in a file, bounded; nothing where there is no such file. Raises CheckpointError."""
    return json_object(content(file, MAX_JSON_BYTES), file, MAX_JSON_BYTES) if is_file(file) else {}


def text_in(file: Path, limit_bytes: int) -> str:
    """A small file's text; of one that is too large a few bytes more than the limit. Raises
    CheckpointError."""
    try:
        return content(file, limit_bytes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable(file, error) from error


def unreadable(file: Path, reason: object) -> CheckpointError:
    """A file that is there does not hold what it should."""
    return CheckpointError("{file} cannot be read: {reason}", AGAIN, file=file, reason=reason)


def content(path: Path, limit_bytes: int) -> bytes:
    """A small file's bytes; of one that is too large a few more than the limit.

    Raises:
        CheckpointError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as opened:
            return opened.read(limit_bytes + 1)
    except FileNotFoundError as error:
        raise CheckpointError(
            "{folder} holds no {name}", AGAIN, folder=path.parent, name=path.name
        ) from error
    except OSError as error:
        raise CheckpointError("{file} cannot be read: {reason}", ACCESS, file=path, reason=error) from error


def json_object(text: bytes, file: Path, limit_bytes: int) -> dict[str, Any]:
    """The JSON object that the bytes are; ``file`` is what errors call it.

    Raises:
        CheckpointError: they are none, too many, or hold lists and objects in one another too deeply.
    """
    try:
        found = json.loads(text.decode("utf-8")) if len(text) <= limit_bytes else None
    except (ValueError, RecursionError) as error:
        raise unreadable(file, error) from error
    if not isinstance(found, dict):
        raise CheckpointError(
            "{file} does not hold a JSON object of at most {limit} bytes",
            AGAIN,
            file=file,
            limit=limit_bytes,
        )
    _check_depth(found, file)
    return found


def _check_depth(found: dict[str, Any], file: Path) -> None:
    level: list[Any] = [found]
    for _ in range(MAX_DEPTH):
        inside = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        level = [inner for inner in inside if isinstance(inner, dict | list)]
        if not level:
            return
    raise CheckpointError(
        "{file} holds lists or objects in one another, more than {limit} deep",
        AGAIN,
        file=file,
        limit=MAX_DEPTH,
    )
