"""The generated reference: ``python -m launcher.cli.reference [--check]`` writes it, or says what is out of
date.

Owns docs/reference/commands.md (from the parser), docs/reference/presets.md and presets/preset.schema.json
(from the schema).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.cli import get_docs_for_click

from launcher.cli import render
from launcher.cli.app import app
from launcher.presets import json_schema

ROOT = Path(__file__).resolve().parents[2]
MADE_BY = "<!-- Written by `make reference`; do not edit. -->\n"


def documents() -> dict[Path, str]:
    """Every generated file of the repository and what it should hold."""
    return {
        ROOT / "docs/reference/commands.md": MADE_BY + commands(),
        ROOT / "docs/reference/presets.md": MADE_BY + preset_keys(),
        ROOT / "presets/preset.schema.json": json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n",
    }


def commands() -> str:
    """The commands and their options, from the parser."""
    command = typer.main.get_command(app)
    return (
        get_docs_for_click(obj=command, ctx=typer.Context(command), name="launcher", title="Commands").strip()
        + "\n"
    )


def preset_keys() -> str:
    """The keys of a preset file, from the schema."""
    schema = json_schema()
    rows = [
        f"| `{key}` | {_values(node)} | {_default(node)} | {node.get('description', '')} |"
        for key, node in _keys(schema, schema)
    ]
    head = ["# Preset keys", "", "| key | values | default | what it is |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows]) + "\n"


def _keys(
    schema: dict[str, Any], node: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, child in node.get("properties", {}).items():
        target = _resolved(schema, child)
        if "properties" in target:
            yield from _keys(schema, target, f"{prefix}{name}.")
        else:
            yield prefix + name, {**target, **child}
        for choice in target.get("anyOf", ()):
            if "$ref" in choice:
                yield from _keys(schema, _resolved(schema, choice), f"{prefix}{name}.")


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")] if reference else node
    return found


def _values(node: dict[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_values(choice) for choice in node["anyOf"]))
    if "$ref" in node:
        return "keys below"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    bounds = [f"{sign} {node[key]}" for key, sign in _BOUNDS.items() if key in node]
    return " ".join([_TYPES.get(node.get("type", ""), "text"), *bounds])


_BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
_TYPES = {"integer": "whole number", "number": "number", "array": "list", "object": "texts `en`, `zh`"}


def _default(node: dict[str, Any]) -> str:
    if "default" not in node:
        return "required"
    return (
        f"`{json.dumps(node['default'], ensure_ascii=False)}`" if node["default"] not in ("", []) else "none"
    )


def main() -> None:
    """Writes what changed; with ``--check`` writes nothing and exits with 1 when something would change."""
    stale = [
        path
        for path, text in documents().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            render.note(f"{path.relative_to(ROOT)} is out of date. Type: make reference")
        sys.exit(bool(stale))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(documents()[path], encoding="utf-8")
        render.line(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
