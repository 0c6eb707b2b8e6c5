"""Boxes that answers name: found in each form, bounded, and harmless whatever an answer says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.ui.grounding import MOST_BOXES, MOST_LETTERS, Box, boxes_in, drawn

STAR = Box("the star", 112, 83, 401, 370)


@pytest.mark.parametrize(
    "answer",
    [
        "<ref>the star</ref><box>[[112, 83, 401, 370]]</box>",
        "Sure. the star[[112, 83, 401, 370]]",
        "Here it is: <ref>the star</ref><box>(112,83),(401,370)</box>.",
        '```json\n[{"bbox_2d": [112, 83, 401, 370], "label": "the star"}]\n```',
    ],
)
def test_each_form_is_found(answer: str) -> None:
    assert boxes_in(answer) == [STAR]


def test_several_in_one_list_and_in_one_answer() -> None:
    answer = "<ref>stars</ref><box>[[0, 0, 100, 100], [900,900,1000,1000]]</box> 和圆形[[500, 0, 600, 99]]"
    assert boxes_in(answer) == [
        Box("stars", 0, 0, 100, 100),
        Box("stars", 900, 900, 1000, 1000),
        Box("和圆形", 500, 0, 600, 99),
    ]
    assert boxes_in('{"bbox_2d": [1, 2, 30, 40]}') == [Box("", 1, 2, 30, 40)]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no place at all",
        "a matrix [[1, 2, 3, 4]] and [[1, 2], [3, 4]]",
        "[[400, 300, 100, 200]]",  # its corners the wrong way round
        "[[0, 0, 1001, 500]]",
        "[[0, 0, 99999999999999999999, 5]]",
        "[[-5, 0, 500, 500]]",
        "[[1e3, 0, 500, 500]]",
        '"bbox_2d": [0, 0, 1920, 1080]',  # pixels, as Qwen2.5-VL has them
    ],
)
def test_what_is_no_place_is_not_drawn(answer: str) -> None:
    assert boxes_in(answer) == []
    assert drawn(answer) == ""


def test_what_is_drawn_is_bounded_and_escaped() -> None:
    label = "<img src=x onerror=alert(1)>&\"'`$x$ **b**"
    html = drawn(f'"bbox_2d": [0, 0, 500, 500], "label": "{label.replace(chr(34), "")}"')
    assert "<b>&lt;img src=x onerror" in html
    assert re.findall("<[^>]*>", html) == [
        '<span class="box" style="left:0.0%;top:0.0%;width:50.0%;height:50.0%">', "<b>", "</b>", "</span>",
    ]  # fmt: skip
    many = boxes_in("[[0,0,100,100]] " * 1000)
    assert len(many) == MOST_BOXES
    (long,) = boxes_in("a" * 500 + "[[0,0,100,100]]")
    assert len(long.label) == MOST_LETTERS


@given(st.text(st.sampled_from('<ref>/box[](){},": 0123456789abstar\n星$&'), max_size=400))
@settings(max_examples=60)
def test_no_answer_draws_outside_the_picture_or_breaks_out(answer: str) -> None:
    for box in boxes_in(answer):
        assert 0 <= box.left < box.right <= 1000
        assert 0 <= box.top < box.bottom <= 1000
    assert set(re.findall("</?([a-z]+)", drawn(answer))) <= {"span", "b"}


PIECES = ["[", "[[", "[[1,", "<ref>", "<ref>a</ref><box>", "[[1,2,3,4],", '"bbox_2d":[', "a" * 80 + "[", " "]


@pytest.mark.parametrize("piece", PIECES)
def test_of_a_long_answer_a_bounded_part_is_read(piece: str) -> None:
    assert boxes_in(piece * (1_000_000 // len(piece)) + "[[0, 0, 500, 500]]") == []
