"""What pydantic found wrong -> one plain sentence each, worded from the JSON schema of the place it was found
at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError

from launcher.presets.engine_choice import ENGINE_FORMS
from launcher.presets.foreign_keys import HERE, NOWHERE
from launcher.presets.schema import json_schema
from launcher.presets.yaml_tree import Data, Path, YamlTree, shown

MAX_VALUE_SHOWN = 60
MAX_SENTENCES = 20
"""More than these tell a person nothing new; how many more there are is said instead."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing wrong with a file: the line, a template and what fills it."""

    line: int
    template: str
    values: Mapping[str, object]


class _Words:
    """Describes the schema's places in words. A place is a path; list positions are ints."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.definitions: dict[str, Any] = schema.get("$defs", {})

    def options(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The alternatives a place allows, references followed."""
        if "$ref" in node:
            return self.options(self.definitions[node["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in node:
            return [option for each in node["anyOf"] for option in self.options(each)]
        return [node]

    def at(self, path: Path) -> list[dict[str, Any]]:
        nodes = self.options(self.schema)
        for step in path:
            inner = [
                n["items"] if isinstance(step, int) else n.get("properties", {}).get(step)
                for n in nodes
                if _leads(n, step)
            ]
            nodes = [option for each in inner if each for option in self.options(each)]
        return nodes

    def keys(self, path: Path) -> list[str]:
        return [key for node in self.at(path) for key in node.get("properties", {})]

    def homes(self, key: str) -> list[str]:
        """Where in the file a key of this name belongs."""
        return [shown(path) for path in self._key_paths(()) if path[-1] == key]

    def _key_paths(self, path: Path) -> Iterator[Path]:
        for key in self.keys(path):
            yield (*path, key)
            yield from self._key_paths((*path, key))

    def expected(self, path: Path, value: Data) -> str:
        return " or ".join(dict.fromkeys(_expected(node, value) for node in self.at(path)))


def _leads(node: dict[str, Any], step: str | int) -> bool:
    return "items" in node if isinstance(step, int) else "properties" in node


def _expected(node: dict[str, Any], value: Data) -> str:
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return "one of " + ", ".join(str(choice) for choice in node["enum"])
    match node.get("type"):
        case "number" | "integer" as kind:
            return _expected_number(node, kind, value)
        case "string":
            return str(node.get("patternErrorMessage") or _expected_text(value))
        case "array":
            return "a list with at least one item" if node.get("minItems") else "a list"
        case _:
            return "keys with values (" + ", ".join(node.get("properties", {})) + ")"


def _expected_number(node: dict[str, Any], kind: str, value: Data) -> str:
    noun = "a whole number " if kind == "integer" else "a number "
    if isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool):
        noun = ""
    match node:
        case {"exclusiveMinimum": low, "exclusiveMaximum": high}:
            return f"{noun}between {low:g} and {high:g}"
        case {"exclusiveMinimum": low, "maximum": high}:
            return f"{noun}above {low:g} and up to {high:g}"
        case {"minimum": low, "maximum": high}:
            return f"{noun}from {low} to {high}"
        case {"minimum": low}:
            return f"{noun}of at least {low}"
    return noun.strip()


def _expected_text(value: Data) -> str:
    if value is None or isinstance(value, list | dict | str):
        return "a text"
    return "a text (put it in quotes to make it one)"


@cache
def _words() -> _Words:
    return _Words(json_schema())


def sentences(error: ValidationError, tree: YamlTree) -> list[Sentence]:
    """One sentence for each place that is wrong, in the order of lines; of very many the first few."""
    found: dict[Path, Sentence] = {}
    faults = error.errors(include_url=False, include_context=False)
    for fault in faults[: 2 * MAX_SENTENCES]:  # a union gives two for one place
        path, rest = _split(tuple(fault["loc"]), tree)
        if fault["type"] == "missing":
            found[path + rest] = _missing(path, str(rest[-1]), tree)
        elif fault["type"] == "extra_forbidden":
            found[path] = _unknown(path, tree)
        elif fault["type"] != "too_short" or not tree.value(
            path
        ):  # a list also counts as short when its items are wrong
            found.setdefault(path, _wrong(path, tree))
    in_order = sorted(found.values(), key=lambda sentence: sentence.line)
    if len(in_order) <= MAX_SENTENCES and len(faults) <= 2 * MAX_SENTENCES:
        return in_order
    shown_last = in_order[:MAX_SENTENCES][-1]
    return [*in_order[:MAX_SENTENCES], Sentence(shown_last.line, "and more is wrong; these come first", {})]


def _split(loc: Path, tree: YamlTree) -> tuple[Path, Path]:
    """The part of pydantic's location that stands in the file, and the rest: a missing key, or a union's
    branch."""
    path: Path = ()
    rest: Path = ()
    for step in loc:
        if not rest and (*path, step) in tree.lines:
            path = (*path, step)
        elif step not in ENGINE_FORMS:
            rest = (*rest, step)
    return path, rest


def _missing(path: Path, key: str, tree: YamlTree) -> Sentence:
    return Sentence(
        tree.lines[path],
        "{key}: is missing; it takes {expected}",
        {"key": shown((*path, key)), "expected": _words().expected((*path, key), None)},
    )


def _unknown(path: Path, tree: YamlTree) -> Sentence:
    key, valid = str(path[-1]), _words().keys(path[:-1])
    if told := _known_elsewhere(path, tree):
        return told
    near = _words().homes(key) or get_close_matches(key, valid, n=1)
    values = {"key": shown(path), "valid": ", ".join(valid)}
    if near:
        return Sentence(
            tree.lines[path], "{key}: is an unknown key; did you mean {near}?", {**values, "near": near[0]}
        )
    return Sentence(tree.lines[path], "{key}: is an unknown key; valid here are {valid}", values)


def _known_elsewhere(path: Path, tree: YamlTree) -> Sentence | None:
    """What is said of a key that LMDeploy or its like has, and this schema does not."""
    key = str(path[-1]).replace("-", "_")
    if key in HERE:
        here, how = HERE[key]
        values = {"key": shown(path), "here": here, "how": how}
        return Sentence(tree.lines[path], "{key}: is called {here} here; write it {how}", values)
    if key in NOWHERE:
        values = {"key": shown(path), "reason": NOWHERE[key]}
        return Sentence(tree.lines[path], "{key}: is no key here: {reason}", values)
    return None


def _wrong(path: Path, tree: YamlTree) -> Sentence:
    value = tree.value(path)
    values = {"key": shown(path), "expected": _words().expected(path, value)}
    if value in (None, "", []):
        return Sentence(tree.lines[path], "{key}: has no value; it takes {expected}", values)
    if not path:
        return Sentence(
            tree.lines[path],
            "the file holds {value}, not a preset with keys such as name:",
            {"value": _shown_value(value)},
        )
    return Sentence(
        tree.lines[path], "{key}: {value} is not {expected}", {**values, "value": _shown_value(value)}
    )


def _shown_value(value: Data) -> str:
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_SHOWN else f"{text[: MAX_VALUE_SHOWN - 1]}…"
