"""The import table of docs/architecture.md, checked from the code's own imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "launcher"


def import_table() -> dict[str, set[str]]:
    """Part -> which of our parts it may import, from docs/architecture.md; what everyone may import and the
    part itself are free."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| ([^|]*)\|[^|]*\|$", text.partition("## Who may import whom")[2], re.MULTILINE
    )
    return {part: set(re.findall(r"`(\w+)`", allowed)) for part, allowed in rows}


FREE = {"errors", "messages", "commands_here", "user_folders", "large_imports", "hand_over"}
ALLOWED = {**{part: set[str]() for part in (*FREE, "__init__")}, **import_table()}

# which parts may import the heavy packages at module level, anywhere
HEAVY_HOMES = {
    "torch": ("models", "engines", "demo/training", "quantizing"),
    "transformers": ("models", "engines", "demo/training", "quantizing"),
    "lmdeploy": ("models", "engines"),
    "gradio": ("ui",),
}


def modules() -> list[Path]:
    return sorted(CODE.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(CODE).parts[0]
    return first.removesuffix(".py")


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}:{node.lineno}: relative imports hide who imports whom; write launcher.…")
    return names


def parts_imported(path: Path) -> set[str]:
    ours = {name.split(".")[1] for name in imported_names(path) if name.startswith("launcher.")}
    return ours - FREE - {part_of(path)}


def test_imports_only_what_the_table_allows() -> None:
    beyond = {path: parts_imported(path) - ALLOWED[part_of(path)] for path in modules()}
    assert not {path: parts for path, parts in beyond.items() if parts}


def test_heavy_packages_stay_in_their_homes() -> None:
    strayed = [
        f"{where} imports {name}"
        for path in modules()
        for name in {each.split(".")[0] for each in imported_names(path)} & set(HEAVY_HOMES)
        if not (where := path.relative_to(CODE).as_posix()).startswith(HEAVY_HOMES[name])
    ]
    assert not strayed


OF_ENGINES = {
    "presets": ("table",),
    "readiness": ("table", "declaration"),
    "diagnosis": ("table",),
    "workers": ("base", "table"),
    "cli": ("table",),
}
"""What parts that decide about engines import of them: none that runs a model."""


@pytest.mark.parametrize("part", OF_ENGINES)
def test_who_decides_about_engines_imports_none(part: str) -> None:
    allowed = tuple(f"launcher.engines.{module}" for module in OF_ENGINES[part])
    for path in (each for each in modules() if part_of(each) == part):
        engines = {name for name in imported_names(path) if name.startswith("launcher.engines.")}
        assert all(name.startswith(allowed) for name in engines), f"{path.name} imports {engines}"


def test_the_terminal_imports_the_page_only_inside_serve() -> None:
    for path in (CODE / "cli").glob("*.py"):
        if path.stem != "serve":
            assert "ui" not in parts_imported(path), path.name
