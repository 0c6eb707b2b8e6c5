"""What the page is told about its question, a JSON object each: first that it is asked, then how its answer
grows, at last how it ended."""

from __future__ import annotations

from typing import TypedDict


class Asked(TypedDict):
    """The question is taken, and looks so (HTML)."""

    question: str


class Grown(TypedDict):
    """Of what is shown of the answer (HTML) the first ``keep`` characters stay, as JavaScript counts them;
    ``add`` takes the place of the rest."""

    keep: int
    add: str


class Answered(TypedDict):
    """The end: the answer as the model gave it, as it is shown, the boxes that it names, to be laid over the
    picture, and what it cost (HTML)."""

    answer: str
    shown: str
    boxes: str
    cost: str


class Unanswered(TypedDict):
    """The end of a question that has no answer: why (HTML), or nothing where it was stopped. ``in_line`` is
    how a status line says the same (HTML): a model's that could not be loaded leaves it out while the page
    shows it as the question's end."""

    trouble: str
    in_line: str


Update = Asked | Grown | Answered | Unanswered


def grown(before: str, now: str) -> Grown:
    """From what was shown to what is shown now."""
    same = _common_length(before, now)
    return {"keep": _length_in_javascript(now[:same]), "add": now[same:]}


def _common_length(one: str, other: str) -> int:
    """How many characters both begin with. An answer mostly extends what was shown, which is seen at once;
    else it is halved, as Python compares whole texts far faster than characters."""
    if other.startswith(one):
        return len(one)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if other.startswith(one[:middle]) else (low, middle - 1)
    return low


def _length_in_javascript(text: str) -> int:
    """Its strings are of UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
