"""What a person is told of a document or a video before it is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from launcher.cli import render
from launcher.documents import Opened
from launcher.picture_budgets import PictureBudget, budget_of, tokens_of_one_tile
from launcher.readiness import Readiness


def tell_of_documents(opened: Mapping[Path, Opened], model: Readiness) -> None:
    """A line each, beside the result."""
    for path, each in opened.items():
        render.note(note_of(path.name, each, budget_of(model)))


def note_of(name: str, opened: Opened, budget: PictureBudget | None) -> str:
    """How many pictures it became, and their tokens where the model's budget is known."""
    what, taken = ("frames" if opened.is_video else "pages"), len(opened.pictures)
    part = f"{taken:,} of {opened.count:,} {what}"
    if taken == opened.count:
        part = f"{taken} {what if taken > 1 else what.removesuffix('s')}"
    elif not opened.is_video:
        part = f"the first {part}"
    each = tokens_of_one_tile(budget)
    tokens = "" if each is None else f": {taken * each:,} tokens"
    return f"{name}: {part} as pictures, one tile each{tokens}"
