"""A line typed in ``launcher chat`` -> what it asks for. Pure: it reads no file, asks no model, prints
nothing.

A line that begins with a slash is a command; everything else, and every text of several lines, is a question
and stays as it was typed. ``exit`` alone ends the chat.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from launcher.errors import RequestError
from launcher.messages import GenerationOptions
from launcher.settings import OPTION_NAMES, read_typed_option

HELP = {
    "/image PATH": "send a picture, a PDF or a video with the next question; may be given again",
    "/clear": "forget the conversation",
    "/system TEXT": "what the model is told before the conversation; without TEXT: nothing",
    "/set NAME VALUE": "change how answers are drawn, as in /set temperature 0.2; without: show all",
    "/save FILE": "write the conversation to a file",
    "/stats": "tokens and times of the last answer and of all",
    "/help": "show this",
    "exit": "end, as Ctrl-D does; Ctrl-C stops an answer",
}
"""What can be typed, and what it does."""

_QUOTES = ("'", '"')


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, as it was typed."""

    text: str


@dataclass(frozen=True, slots=True)
class AddPicture:
    """``/image PATH``"""

    path: str


@dataclass(frozen=True, slots=True)
class Clear:
    """``/clear``"""


@dataclass(frozen=True, slots=True)
class SetSystem:
    """``/system TEXT``; an empty text: none."""

    text: str


@dataclass(frozen=True, slots=True)
class SetOption:
    """``/set NAME VALUE``; without, both are empty: show all."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Save:
    """``/save FILE``"""

    path: str


@dataclass(frozen=True, slots=True)
class ShowStats:
    """``/stats``"""


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """``/help``"""


@dataclass(frozen=True, slots=True)
class End:
    """``exit``"""


Command = Ask | AddPicture | Clear | SetSystem | SetOption | Save | ShowStats | ShowHelp | End

_ALONE: dict[str, Command] = {"/clear": Clear(), "/stats": ShowStats(), "/help": ShowHelp()}


def parse(typed: str) -> Command | None:
    """What was typed; None for blank lines.

    Raises:
        RequestError: there is no such command, or it lacks what it needs.
    """
    if not typed.strip():
        return None
    if typed.strip() == "exit":
        return End()
    if not typed.startswith("/") or "\n" in typed.rstrip():
        return Ask(typed)
    name, _, rest = typed.strip().partition(" ")
    return _command(name, rest.strip())


def _command(name: str, rest: str) -> Command:
    match name:
        case "/image":
            return AddPicture(_path(name, rest))
        case "/save":
            return Save(_path(name, rest))
        case "/system":
            return SetSystem(rest)
        case "/set":
            return _set_option(rest)
    if name not in _ALONE:
        raise _unknown(name)
    if rest:
        raise RequestError("{command} takes nothing more", "Type {command} alone.", command=name)
    return _ALONE[name]


def _unknown(name: str) -> RequestError:
    known = [usage.split()[0] for usage in HELP if usage.startswith("/")]
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return RequestError(
            "There is no command {command}", "Did you mean {near}?", command=name, near=near[0]
        )
    return RequestError(
        "There is no command {command}",
        "Type /help for those there are. A question that begins with a slash needs a space before it.",
        command=name,
    )


def _path(command: str, rest: str) -> str:
    """A path as typed, or as terminals write one that is dropped on them: in quotes, or with backslashes
    before spaces."""
    if not rest:
        raise RequestError("{command} needs a path", "Type: {command} PATH", command=command)
    if len(rest) > 1 and rest[0] == rest[-1] and rest[0] in _QUOTES:
        return rest[1:-1]
    return re.sub(r"\\([ '\"()&\\])", r"\1", rest)


def _set_option(rest: str) -> SetOption:
    if not rest:
        return SetOption()
    name, _, value = rest.partition(" ")
    if not value.strip():
        raise RequestError("/set needs a name and a value", "Type, for instance: /set temperature 0.2")
    return SetOption(name, value.strip())


def changed(options: GenerationOptions, setting: SetOption) -> GenerationOptions:
    """The options with one of them set.

    Raises:
        RequestError: there is no such option, or the value is not one of its values.
    """
    if setting.name not in OPTION_NAMES:
        raise RequestError(
            "There is no option {name}",
            "These can be set: {names}",
            name=setting.name,
            names=", ".join(OPTION_NAMES),
        )
    return read_typed_option(setting.name, setting.value, options)
