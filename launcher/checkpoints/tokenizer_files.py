"""The files that transformers makes a tokenizer of, as far as they can be wrong without being broken JSON:
each value that it looks at is of the kind that it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from launcher.errors import CheckpointError

CONFIG = "tokenizer_config.json"
SPECIAL = "special_tokens_map.json"
GENERATION = "generation_config.json"

_NAMED = ("bos_token", "cls_token", "eos_token", "mask_token", "pad_token", "sep_token", "unk_token")
_LISTED = ("additional_special_tokens", "extra_special_tokens")
_FLAGS = ("lstrip", "normalized", "rstrip", "single_word", "special")
_MOST_TOKENS = 2**24
_SHOWN = 60
_AGAIN = "Download the model's tokenizer again."


def check_tokenizer_config(values: Mapping[str, Any], file: Path) -> None:
    """Raises CheckpointError where a value of tokenizer_config.json or special_tokens_map.json is of another
    kind than transformers takes."""
    checks: Iterator[tuple[tuple[str, ...], Callable[[Any], bool]]] = iter(
        (
            (_NAMED, lambda value: value is None or _is_token(value)),
            (_LISTED, _are_tokens),
            (("tokenizer_class",), lambda value: value is None or (isinstance(value, str) and value != "")),
            (("auto_map",), _is_code),
            (("added_tokens_decoder",), lambda value: isinstance(value, dict)),
            (("chat_template",), _is_template),
        )
    )
    for keys, fits in checks:
        for key in keys:
            if key in values and not fits(values[key]):
                raise _wrong(file, key, values[key])
    for number, token in values.get("added_tokens_decoder", {}).items():
        if not (number.isdecimal() and int(number) < _MOST_TOKENS and _is_added(token)):
            raise _wrong(file, f"added_tokens_decoder.{number}", token)


def check_added_tokens(values: Mapping[str, Any], file: Path) -> None:
    """Raises CheckpointError where a token of added_tokens.json has no number that one can have."""
    for token, number in values.items():
        if not _is_number(number):
            raise _wrong(file, token, number)


def check_generation(values: Mapping[str, Any], file: Path) -> None:
    """Raises CheckpointError where generation_config.json names no tokens as those that end an answer."""
    ends = values.get("eos_token_id")
    if ends is not None and not all(map(_is_number, ends if isinstance(ends, list) else [ends])):
        raise _wrong(file, "eos_token_id", ends)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST_TOKENS


def _is_token(value: Any) -> bool:
    return isinstance(value, str) or _is_added(value)


def _is_added(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("content"), str)
        and value["content"] != ""
        and all(isinstance(value.get(flag, False), bool) for flag in _FLAGS)
    )


def _are_tokens(value: Any) -> bool:
    """A list, or an object with names; nothing for none."""
    tokens = value.values() if isinstance(value, dict) else value
    return value is None or (isinstance(value, dict | list) and all(map(_is_token, tokens)))


def _is_code(value: Any) -> bool:
    """The names of classes beside the weights, of the slow and the fast tokenizer; never run here."""
    if isinstance(value, dict) and "AutoTokenizer" not in value:
        return True
    pair = value["AutoTokenizer"] if isinstance(value, dict) else value
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(each is None or isinstance(each, str) for each in pair)
        and any(pair)
    )


def _is_template(value: Any) -> bool:
    """One, or several with names."""
    return value is None or isinstance(value, str) or (isinstance(value, list) and all(map(_is_named, value)))


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("name", "template"))


def _wrong(file: Path, key: str, value: object) -> CheckpointError:
    text = json.dumps(value)
    return CheckpointError(
        "{file}: {key} is {value}, which no tokenizer has there",
        _AGAIN,
        file=file,
        key=key,
        value=text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…",
    )
