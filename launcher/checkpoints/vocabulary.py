"""The vocabulary of a tokenizer that is made of JSON (``tokenizer.json``; or ``vocab.json`` with its merges),
as far as it is looked at before it is loaded: that it is whole, and has the tokens that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from launcher.checkpoints.small_files import MAX_TOKENIZER_BYTES, content, json_in, text_in, unreadable
from launcher.errors import CheckpointError
from launcher.user_folders import is_file

_WHOLE, _ALONE, _MERGES = "tokenizer.json", "vocab.json", "merges.txt"
_CONFIG, _ADDED = "tokenizer_config.json", "added_tokens.json"
_BYTE_LEVEL = ("Qwen2Tokenizer", "Qwen2TokenizerFast", "GPT2Tokenizer", "GPT2TokenizerFast")
"""The classes of transformers that make a tokenizer of a vocab.json."""

Content = TypeVar("Content")


class _AddedToken(msgspec.Struct):
    id: int
    content: str


_Pieces = dict[str, int] | list[tuple[str, float]]
"""With their numbers, or with their scores."""


class _Model(msgspec.Struct):
    vocab: msgspec.Raw
    """``_Pieces``, made of it where they are asked for alone: there are 150,000."""


class _Tokenizer(msgspec.Struct):
    """A ``tokenizer.json``, its rules left out."""

    added_tokens: list[_AddedToken]
    model: _Model


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A folder's vocabulary as its files in JSON have it, read once: published ones have 11 MB. ``whole`` is
    what a tokenizer.json holds, else ``alone`` a vocab.json's tokens; neither, where there is no such
    file."""

    folder: Path
    whole: _Tokenizer | None = None
    alone: Mapping[str, int] | None = None

    def check_token(self, token: str) -> None:
        """Raises CheckpointError where the tokenizer does not know a token."""
        known = set(added_tokens(self.folder).values())
        if self.whole is not None:
            known |= {each.content for each in self.whole.added_tokens}
            known |= _names(self.whole, self.folder / _WHOLE) if token not in known else set()
        elif self.alone is not None:
            known |= self.alone.keys()
        if token not in known:
            raise CheckpointError(
                "{folder}: the tokenizer has no token {token}",
                "Download the model's tokenizer again.",
                folder=self.folder,
                token=token,
            )


def read_vocabulary(folder: Path) -> Vocabulary:
    """A folder's vocabulary. For one that ``check_small_files`` has let through.

    Raises:
        CheckpointError: it is broken, or lacks what it is used with.
    """
    if is_file(folder / _WHOLE):
        return Vocabulary(folder, whole=_decoded(folder / _WHOLE, _Tokenizer))
    if is_file(folder / _ALONE):
        found = Vocabulary(folder, alone=_decoded(folder / _ALONE, dict[str, int]))
        _check_merges(folder / _MERGES)
        _check_class(folder / _CONFIG)
        return found
    return Vocabulary(folder)


def added_tokens(folder: Path) -> dict[int, str]:
    """The tokens that a tokenizer's small files give numbers to, as transformers takes them. For a folder
    that ``check_small_files`` has let through."""
    found = json_in(folder / _CONFIG).get("added_tokens_decoder")
    if found is not None:
        return {int(number): token["content"] for number, token in found.items()}
    return {number: token for token, number in json_in(folder / _ADDED).items()}


def _names(whole: _Tokenizer, file: Path) -> set[str]:
    try:
        pieces = msgspec.json.decode(whole.model.vocab, type=_Pieces)
    except msgspec.DecodeError as error:
        raise unreadable(file, error) from error
    return set(pieces) if isinstance(pieces, dict) else {piece for piece, _ in pieces}


def _decoded(file: Path, kind: type[Content]) -> Content:
    try:
        return msgspec.json.decode(content(file, MAX_TOKENIZER_BYTES), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from error


def _check_merges(file: Path) -> None:
    """Two pieces a line, below a line of its version."""
    for number, line in enumerate(text_in(file, MAX_TOKENIZER_BYTES).split("\n"), 1):
        if line.strip() and not line.startswith("#version") and line.count(" ") != 1:
            raise unreadable(file, f"line {number} is not two pieces")


def _check_class(file: Path) -> None:
    """A vocab.json alone says nothing of how it is to be used."""
    found = json_in(file).get("tokenizer_class")
    if found not in _BYTE_LEVEL:
        raise CheckpointError(
            "{file}: {key} is {value}, not one of {known}",
            "Download the model's tokenizer again.",
            file=file,
            key="tokenizer_class",
            value=found or "-",
            known=", ".join(_BYTE_LEVEL),
        )
