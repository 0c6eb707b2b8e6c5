"""How answers are drawn, as people and programs give it -> ``GenerationOptions``: the one check that the
page, its endpoint, ``/set`` and ``ask`` share. The bounds are the preset schema's.

Nothing is taken for a number that is none: no text, no NaN, no infinity, no yes or no. What is not given is
the default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, ValidationError

from launcher.errors import RequestError
from launcher.messages import GenerationOptions, well_formed
from launcher.presets import GenerationSettings

NO_SEED = -1
"""How a program and the page's box, which shows an emptied one as 0, say that there is no seed."""

_SEED_LIMIT = 2**63 - 1
"""What PyTorch and LMDeploy take."""

CANNOT_BE = "{name} cannot be {value}"
"""What is said of a setting that is refused; ``name`` is its key, which programs and the terminal read."""

_NO_SEED_TYPED = "none"
_MAX_VALUE_SHOWN = 40


class _Settings(GenerationSettings):
    seed: Annotated[int, Field(ge=NO_SEED, le=_SEED_LIMIT)] = NO_SEED  # numbers alone: programs give them


OPTION_NAMES = tuple(_Settings.model_fields)
"""All that can be set."""

_BOUNDS = _Settings.model_json_schema(mode="serialization")["properties"]
"""Of the numbers themselves; a preset's file may write some with a unit."""


def read_options(given: Mapping[str, Any], defaults: GenerationOptions) -> GenerationOptions:
    """The options with what is given in place of the defaults; a value of None is not given.

    Args:
        given: values of any of JSON's types by the names of ``OPTION_NAMES``.
        defaults: the preset's, or those of a chat so far.

    Raises:
        RequestError: a value is no number, or outside its range; the message names all three.
    """
    read = {name: _read(name, value) for name, value in given.items() if value is not None}
    return replace(defaults, **read)


def read_typed_option(name: str, typed: str, defaults: GenerationOptions) -> GenerationOptions:
    """The options with one of them, which somebody typed, in place of the default.

    Raises:
        RequestError: what was typed is no number, or outside its range.
    """
    typed = str(NO_SEED) if (name, typed) == ("seed", _NO_SEED_TYPED) else typed
    try:
        settings = _Settings.model_validate_strings({name: typed}, strict=False)
    except ValidationError as error:
        raise _refusal(name, typed) from error
    return read_options({name: getattr(settings, name)}, defaults)


def shown(value: object) -> str:
    """A value of any of JSON's types on one line, as it was given, or its beginning."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(well_formed(text).split()) or '""'
    return text if len(text) <= _MAX_VALUE_SHOWN else f"{text[: _MAX_VALUE_SHOWN - 1]}…"


def quoted(value: object) -> object:
    """A text in quotes, where it stands for what should be none: "5" is no number. All else as it is."""
    return f'"{value}"' if isinstance(value, str) else value


def _read(name: str, value: Any) -> Any:
    whole = isinstance(value, float) and value.is_integer()  # JSON has no whole numbers: 512.0 is 512
    if isinstance(value, str):  # which a preset's file may have, as 1k
        raise _refusal(name, quoted(value))
    try:
        read = getattr(_Settings.model_validate({name: int(value) if whole else value}), name)
    except ValidationError as error:
        raise _refusal(name, value) from error
    return None if name == "seed" and read == NO_SEED else read


def _refusal(name: str, value: object) -> RequestError:
    if name == "seed":
        return RequestError(
            CANNOT_BE,
            "It is a whole number from 0 to {high}, or -1, which draws every answer anew.",
            name=name,
            value=shown(value),
            high=_SEED_LIMIT,
        )
    bounds = _BOUNDS[name]
    return RequestError(
        CANNOT_BE,
        "It is a whole number from {low} to {high}."
        if bounds["type"] == "integer"
        else "It is a number from {low} to {high}."
        if "minimum" in bounds
        else "It is a number above {low}, at most {high}.",
        name=name,
        value=shown(value),
        low=bounds.get("minimum", bounds.get("exclusiveMinimum")),
        high=bounds["maximum"],
    )
