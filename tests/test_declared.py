"""What the code imports is declared in pyproject.toml, and does not only come along with something else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).resolve().parent.parent
OURS = {"launcher", "tests"}
WITHOUT_A_GPU = {"torchvision", "triton"}
"""Imported only by code that runs with LMDeploy on a GPU, which brings them."""


@cache
def imported(folder: str) -> dict[str, Path]:
    """Every package that a file of the folder imports, wherever in the file, and one file that does."""
    return {
        name: path
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if name not in sys.stdlib_module_names | OURS | WITHOUT_A_GPU
    }


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return names(each for listed in lists for each in listed)


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def test_imports_are_found() -> None:
    assert {"gradio", "yaml", "PIL", "torch", "lmdeploy"} <= imported("launcher").keys()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")
@pytest.mark.parametrize(
    ("folder", "extras"),
    [("launcher", ("gpu",)), ("tests", ("gpu", "contract", "dev"))],
)
def test_what_is_imported_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    brought_by, said = packages_distributions(), declared(*extras)
    undeclared = {
        name: str(path)
        for name, path in imported(folder).items()
        if said.isdisjoint(map(canonicalize_name, brought_by.get(name, [name])))
    }
    assert undeclared == {}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")
@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements-cpu.lock", ()), ("requirements-gpu.lock", ("gpu",)), ("requirements-dev.lock", ("dev",))],
)
def test_what_is_declared_is_locked(lock: str, extras: tuple[str, ...]) -> None:
    locked = names((ROOT / lock).read_text(encoding="utf-8").splitlines())
    on_top_of = names((ROOT / "requirements-cpu.lock").read_text(encoding="utf-8").splitlines())
    missing = declared(*extras) - locked - (on_top_of if "dev" in extras else set()) - {"launcher"}
    assert missing == set()
