"""How long something took, or when it is due, never depends on the time of day, which can be set."""

from __future__ import annotations

import ast
from pathlib import Path

import launcher

CODE = Path(launcher.__file__).parent
TIME_OF_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
COMPARED_WITH_FILES = "images/remembered.py"
"""Where the time of day is what it has to be: it is compared with when a file was changed."""
TOLD_TO_PROGRAMS = {"api/completions.py", "api/routes.py"}
"""OpenAI's form says when an answer or a model was made."""


def test_only_clocks_that_cannot_be_set_are_read() -> None:
    found = {
        str(path.relative_to(CODE))
        for path in CODE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node).removeprefix("datetime.") in TIME_OF_DAY
    }
    assert found == {COMPARED_WITH_FILES, *TOLD_TO_PROGRAMS}
