"""An error of ``launcher.errors`` as plain values that cross to another process, and back: its class's name,
its two templates and what fills them.

A template is filled in by ``str.format``, which can be made to look into objects and to pad a text to a
gigabyte. So only bare names cross, and numbers formatted as our sentences do it.
"""

from __future__ import annotations

import re
from string import Formatter

from msgspec import Struct

from launcher import errors
from launcher.errors import EngineError, LauncherError
from launcher.messages import well_formed

Plain = str | int | float | bool | None

MOST_CHARACTERS = 20_000
"""Of one value or template; a longer one, say the story of a library's exception, is cut."""

_INT_LIMIT = 2**63
_FORMAT = re.compile(r"(,|0\d)?(\.\d)?[dfgX%]?")
_NO_VALUE = {"self", "message", "hint"}


class CrossingError(Struct, frozen=True, array_like=True):
    """What crosses."""

    kind: str
    message: str
    hint: str
    values: dict[str, Plain]


def to_cross(error: LauncherError) -> CrossingError:
    """The error with a class of ``launcher.errors`` and plain values, whatever an engine has put into it."""
    kind = next((base for base in type(error).__mro__ if base.__module__ == errors.__name__), EngineError)
    values = {name: _plain(value) for name, value in error.values.items()}
    crossing = CrossingError(
        kind.__name__, well_formed(error.template), well_formed(error.hint_template), values
    )
    try:
        came_over(crossing)
    except ValueError:  # its own values fill it, plain ones do not: it crosses as it reads
        said, advice = _as_it_reads(error)
        return CrossingError(kind.__name__, said, advice, {})
    return crossing


def came_over(crossing: CrossingError) -> LauncherError:
    """The error that was sent.

    Raises:
        ValueError: there is no such class, or a template is not one that its values fill.
    """
    kind = _KINDS.get(crossing.kind)
    if kind is None:
        raise ValueError(f"there is no error named {crossing.kind!r}")
    for template in (crossing.message, crossing.hint):
        _check(template, crossing.values)
    return kind(crossing.message, crossing.hint, **crossing.values)


def _check(template: str, values: dict[str, Plain]) -> None:
    if len(template) > MOST_CHARACTERS or _NO_VALUE & values.keys():
        raise ValueError("an error's text is too long, or one of its values has a name that none can have")
    if not values:
        return  # then nothing is filled in, and braces are braces
    for _text, name, form, conversion in Formatter().parse(template):
        if name is not None:
            _check_field(name, form or "", conversion, values)


def _check_field(name: str, form: str, conversion: str | None, values: dict[str, Plain]) -> None:
    try:
        shape_is_ours = conversion in (None, "r") and _FORMAT.fullmatch(form)
        if not shape_is_ours or len(format(values[name], form)) > MOST_CHARACTERS:
            raise ValueError(f"a sentence cannot be filled in at {{{name}}}")
    except (LookupError, TypeError) as error:
        raise ValueError(f"a sentence cannot be filled in at {{{name}}}") from error


def _plain(value: object) -> Plain:
    if type(value) is bool or type(value) is float or value is None:
        return value
    if type(value) is int and -_INT_LIMIT <= value < _INT_LIMIT:
        return value
    return _bounded(str(value))


def _as_it_reads(error: LauncherError) -> tuple[str, str]:
    try:
        return _bounded(error.message), _bounded(error.hint)
    except (LookupError, ValueError, TypeError, AttributeError):  # not even its own values fill it
        return _bounded(error.template), _bounded(error.hint_template)


def _bounded(text: str) -> str:
    text = well_formed(text)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


_KINDS = {
    name: thing
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, LauncherError)
}
