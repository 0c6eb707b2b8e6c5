"""Fast tests (``pytest --fast``): those whose files reach neither a model's libraries nor a browser nor
another process by what they import; nothing is marked by hand.

A file is read, not imported, to find that out. A fast test that then gets there all the same, by an import
inside a function or by a fixture, fails. Gradio may be imported (two seconds): ``launcher.ui`` does, whatever
is used of it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("launcher", "tests")
SLOW = {"lmdeploy", "multiprocessing", "playwright", "subprocess", "torch", "transformers"}
"""Libraries that take many seconds to import, and those that start processes."""

_IMPORTS = SLOW - {
    "subprocess",
    "multiprocessing",
}  # light to import, and others do: what they do is told apart
_STARTS = ("os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen")


def is_fast(file: Path) -> bool:
    """Whether nothing slow is imported when the file is, by itself or by any of our modules on the way."""
    seen, ahead = set[Path](), {file}
    while ahead:
        path = ahead.pop()
        seen.add(path)
        names = imported_with(path)
        if SLOW & {name.partition(".")[0] for name in names}:
            return False
        ahead |= {module for name in names for module in _ours(name)} - seen
    return True


@cache
def imported_with(file: Path) -> frozenset[str]:
    """What importing a file imports: modules, and names in them that may be modules."""
    names = set[str]()
    for node in _run_at_import(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
            case ast.Call(
                func=ast.Attribute(attr="importorskip"), args=[ast.Constant(value=str(module)), *_]
            ):
                names.add(module)
    return frozenset(names)


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those in functions and under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _run_at_import(child)


@cache
def _ours(name: str) -> tuple[Path, ...]:
    """The files of the packages and the module that a dotted name of ours leads through."""
    parts = name.split(".")
    if parts[0] not in OURS:
        return ()
    steps = [ROOT.joinpath(*parts[: n + 1]) for n in range(len(parts))]
    files = [file for step in steps for file in (step / "__init__.py", step.with_suffix(".py"))]
    return tuple(file for file in files if file.is_file())


def refuse_what_is_slow() -> None:
    """From here on, this process raises where it would import a slow library or start another process."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "import" and str(arguments[0]).partition(".")[0] in _IMPORTS:
        what = f"imports {arguments[0]}"
    elif event in _STARTS:
        what = f"starts a process ({event})"
    else:
        return
    # no ImportError or OSError, which the code under test may take for an answer
    raise AssertionError(
        f"A fast test {what}; imported at the top of its file, that makes the file a slow one"
    )
