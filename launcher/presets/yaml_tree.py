"""YAML text -> plain data plus the line of every value; owns what YAML a preset file may hold, and nothing
about presets.

Plain words are read by YAML 1.2's core rules, as editors do: ``no`` and ``on`` are texts, ``010`` is ten.
Anchors, aliases, tags and several documents are refused, and so is deep nesting, before anything is built
from the text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import yaml

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"
Path: TypeAlias = "tuple[str | int, ...]"
"""Keys and list positions from the top of the file to a value; () is the whole file."""

MAX_DEPTH = 16
MAX_WORD_SHOWN = 60

_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,2})?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_ESCAPE = re.compile(r"\\U([0-9a-fA-F]{8})")
_LAST_CHARACTER = 0x10FFFF


class YamlError(Exception):
    """The text is not YAML that is allowed here: a line, a sentence template and what fills it."""

    def __init__(self, line: int, sentence: str, **values: object) -> None:
        super().__init__(line, sentence, values)
        self.line = line
        self.sentence = sentence
        self.values = values


@dataclass(frozen=True, slots=True)
class YamlTree:
    """A parsed file. ``lines`` has the line (from 1) of every value by its path; a key's value counts where
    the key stands."""

    data: Data
    lines: dict[Path, int]

    def value(self, path: Path) -> Data:
        """What stands at a path that is in ``lines``."""
        found = self.data
        for step in path:
            found = found[step]  # type: ignore[index]  # the path was taken from this very tree
        return found


@lru_cache(maxsize=64)  # a preset that others extend is read for its name and with each of them
def parse(text: str) -> YamlTree:
    """Parses one document; an empty text, or one of comments alone, gives data None. The tree is for all who
    ask for this text: nobody changes it.

    Raises:
        YamlError: not YAML, or YAML that is not allowed here.
    """
    try:
        node = _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, "the character U+{code:04X} is not allowed", code=error.character) from error
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text) from error
    except (ValueError, OverflowError) as error:  # PyYAML hands an escape to chr, and digits to int, unseen
        raise _no_character(error, text) from error
    lines: dict[Path, int] = {(): _line(node)} if node else {(): 1}
    return YamlTree(_build(node, (), lines) if node else None, lines)


class _Loader(yaml.SafeLoader):
    """Makes nodes, and refuses what is not allowed at the event that begins it, before its node is made."""

    def __init__(self, text: str) -> None:
        self._depth = self._documents = 0
        super().__init__(text)

    def get_event(self) -> yaml.Event:
        event: yaml.Event = super().get_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlError(line, "anchors and aliases (& and *) are not allowed: write the value out")
        if tag := getattr(event, "tag", None):
            raise YamlError(line, "the tag {tag} is not allowed: remove it", tag=_word(tag))
        self._documents += isinstance(event, yaml.DocumentStartEvent)
        if self._documents > 1:
            raise YamlError(line, "a second document begins here (---): one file holds one preset")
        self._depth += isinstance(event, yaml.CollectionStartEvent)
        self._depth -= isinstance(event, yaml.CollectionEndEvent)
        if self._depth > MAX_DEPTH:
            raise YamlError(line, "lists and keys are nested more than {limit} deep", limit=MAX_DEPTH)
        return event


def _not_yaml(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    line = int(error.problem_mark.line) + 1 if error.problem_mark else 1
    all_lines = text.splitlines() or [""]
    written = all_lines[min(line, len(all_lines)) - 1]
    if "\t" in written[: len(written) - len(written.lstrip())] or "'\\t'" in (error.problem or ""):
        return YamlError(line, "a tab stands where YAML wants spaces")
    return YamlError(
        line, "this is not YAML: {problem}", problem=error.problem or error.context or "cannot be parsed"
    )


def _no_character(error: Exception, text: str) -> YamlError:
    for found in _ESCAPE.finditer(text):
        if (code := int(found[1], 16)) > _LAST_CHARACTER:
            line = text.count("\n", 0, found.start()) + 1
            return YamlError(line, "the character U+{code:04X} is not allowed", code=code)
    return YamlError(1, "this is not YAML: {problem}", problem=str(error))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _build(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Data:
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        built: list[Data] = []
        for position, item in enumerate(node.value):
            here = (*path, position)
            lines[here] = _line(item)
            built.append(_build(item, here, lines))
        return built
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _build_mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Data]:
    built: dict[str, Data] = {}
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlError(_line(key_node), "a key must be a single word")
        key = _text(key_node)
        here = (*path, key)
        if here in lines:
            raise YamlError(
                _line(key_node),
                "{key}: stands here for the second time (first on line {first})",
                key=shown(here),
                first=lines[here],
            )
        lines[here] = _line(key_node)
        built[key] = _build(value, here, lines)
    return built


def _text(node: yaml.ScalarNode) -> str:
    text = str(node.value)
    if found := _UNPRINTABLE.search(text):
        raise YamlError(_line(node), "the character U+{code:04X} is not allowed", code=ord(found.group()))
    return text


def _scalar(node: yaml.ScalarNode) -> Data:
    text = _text(node)
    if node.style is not None:  # in quotes, or a | or > block
        return text
    if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.title()):
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def shown(path: Path) -> str:
    """A path as a person reads it, on one line: ``examples[2].question.en``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_word(step)}" for step in path).lstrip(".")


def _word(text: str) -> str:
    if text.isprintable() and len(text) <= MAX_WORD_SHOWN:
        return text
    return json.dumps(text[:MAX_WORD_SHOWN], ensure_ascii=False) + "…" * (len(text) > MAX_WORD_SHOWN)
