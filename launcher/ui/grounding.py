"""Boxes that an answer names, to be drawn on the picture that was asked about. Pure functions.

Models write where something is in thousandths of the picture's width and height, from its upper left corner:

    <ref>the star</ref><box>[[112, 83, 401, 370]]</box>      InternVL, several boxes side by side in one list;
                                                             its decoder leaves the tags out: they are special
    <ref>the star</ref><box>(112,83),(401,370)</box>         Qwen-VL
    {"bbox_2d": [112, 83, 401, 370], "label": "the star"}    Qwen3-VL

What is drawn is a bounded number of boxes within the picture; the text stays as the model wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from launcher.ui.answer_html import escaped

WHOLE = 1000
MOST_BOXES, MOST_LETTERS = 20, 40
LEAST = 10
"""A hundredth of a side: smaller ones are rather a table's numbers than a place."""

_MOST_READ = 20_000
"""Characters of an answer."""

_N = r"\s?(\d{1,4})\s?"
_FOUR = rf"\[{_N},{_N},{_N},{_N}\]"
_LIST = re.compile(r"\[(?:\s?\[[\d\s,]{7,40}\]\s?,?){1,20}\s?\]")
_IN_LIST = re.compile(_FOUR)
_CORNERS = re.compile(rf"<box>\({_N},{_N}\),\({_N},{_N}\)</box>")
_OBJECT = re.compile(rf'"bbox_2d"\s?:\s?{_FOUR}(?:\s?,\s?"label"\s?:\s?"([^"\n]{{0,80}})")?')
_OTHER_WORDS = re.compile(r".*(?:<ref>|</box>|[\[\]{}()\n.,:;!?，。：；！？])", re.DOTALL)
_LOOKED_BACK = 120


class Box(NamedTuple):
    """Where something is, in thousandths of the picture's sides."""

    label: str
    left: int
    top: int
    right: int
    bottom: int


def boxes_in(answer: str) -> list[Box]:
    """In the order in which the answer names them, as many as are drawn."""
    found = sorted(_found(answer[:_MOST_READ]), key=lambda each: each[0])
    boxes = [Box(_shortened(label), *numbers) for _, label, numbers in found if _is_place(*numbers)]
    return boxes[:MOST_BOXES]


def drawn(answer: str) -> str:
    """The boxes as HTML on one line, to be laid over the picture; "" for none."""
    return "".join(map(_drawn, boxes_in(answer)))


Numbers = tuple[int, int, int, int]


def _found(answer: str) -> Iterator[tuple[int, str, Numbers]]:
    """Place in the answer, label and numbers."""
    for listed in _LIST.finditer(answer):
        label = _before(answer, listed.start())
        for each in _IN_LIST.finditer(listed[0], 1):
            yield listed.start() + each.start(), label, _numbers(each)
    for corners in _CORNERS.finditer(answer):
        yield corners.start(), _before(answer, corners.start()), _numbers(corners)
    for named in _OBJECT.finditer(answer):
        yield named.start(), named[5] or "", _numbers(named)


def _before(answer: str, start: int) -> str:
    """The words before a place: those in <ref>, or the last ones of their sentence."""
    words = answer[max(0, start - _LOOKED_BACK) : start].removesuffix("<box>").removesuffix("</ref>")
    return _OTHER_WORDS.sub("", words)


def _numbers(found: re.Match[str]) -> Numbers:
    left, top, right, bottom = (int(found[at]) for at in range(1, 5))
    return left, top, right, bottom


def _is_place(left: int, top: int, right: int, bottom: int) -> bool:
    return right - left >= LEAST and bottom - top >= LEAST and max(right, bottom) <= WHOLE


def _shortened(label: str) -> str:
    words = " ".join(label.split())
    return words if len(words) <= MOST_LETTERS else f"{words[: MOST_LETTERS - 1]}…"


def _drawn(box: Box) -> str:
    sides = {
        "left": box.left,
        "top": box.top,
        "width": box.right - box.left,
        "height": box.bottom - box.top,
    }
    style = ";".join(f"{side}:{value / 10:.1f}%" for side, value in sides.items())
    return f'<span class="box" style="{style}"><b>{escaped(box.label)}</b></span>'
