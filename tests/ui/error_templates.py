"""Every sentence of an error that can reach the page, collected from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import launcher
from launcher import errors

CODE = Path(launcher.__file__).parent
NEVER_ON_THE_PAGE = ("cli", "demo", "presets", "__main__.py")
"""The terminal's own errors; the training program's; and presets' (a file's name, line and key, told in
English)."""
HINTS_NEVER_ON_THE_PAGE = ("downloads",)
"""The page says itself what to do then (``launcher.ui.fetch_advice``)."""

ERRORS = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, errors.LauncherError)
}


def files() -> list[Path]:
    return [
        path
        for path in sorted(CODE.rglob("*.py"))
        if path.relative_to(CODE).parts[0] not in NEVER_ON_THE_PAGE
    ]


def sentences() -> Iterator[tuple[str, str]]:
    """Where each sentence stands, and the sentence. A sentence that is put together is yielded as ``""``: it
    has no key."""
    for path in files():
        known = {**_imported_constants(path), **_constants(path)}
        for node in _nodes(path):
            if isinstance(node, ast.Call) and _name(node.func) in ERRORS:
                place = f"{path.relative_to(CODE)}:{node.lineno}"
                has_hints = path.relative_to(CODE).parts[0] not in HINTS_NEVER_ON_THE_PAGE
                for argument in [
                    *node.args[: 1 + has_hints],
                    *(word.value for word in node.keywords if word.arg in ("message", "hint")),
                ]:
                    yield from ((place, text) for text in _texts(argument, known))


def _texts(node: ast.expr, known: dict[str, str]) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if node.value else []
    if isinstance(node, ast.Name) and node.id in known:
        return [known[node.id]]
    if isinstance(node, ast.IfExp):
        return _texts(node.body, known) + _texts(node.orelse, known)
    return [""]


def _imported_constants(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in _nodes(file):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("launcher."):
            other = CODE.parent.joinpath(*str(node.module).split(".")).with_suffix(".py")
            if other.is_file():
                found |= _constants(other)
    return found


@cache
def _constants(file: Path) -> dict[str, str]:
    return {
        target.id: node.value.value
        for node in _nodes(file)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@cache
def _nodes(file: Path) -> tuple[ast.AST, ...]:
    """All that a file's code is made of; most files are asked for by several others."""
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
