"""What things of the Shapes world are called, in English and Chinese."""

from __future__ import annotations

import random

from launcher.demo.pictures import COLOURS, MAX_SHAPES, Colour, Kind
from launcher.demo.wordings import Language

SHAPE_NAMES: dict[Language, dict[Kind, tuple[str, ...]]] = {
    "en": {"circle": ("circle",), "square": ("square",), "triangle": ("triangle",), "star": ("star",)},
    "zh": {
        "circle": ("圆形", "圆", "圆圈"),
        "square": ("正方形", "方形", "方块"),
        "triangle": ("三角形", "三角"),
        "star": ("星形", "星星", "五角星"),
    },
}
"""The first is the name used in answers, all are understood in questions."""

COLOUR_NAMES: dict[Language, dict[Colour, str]] = {
    "en": {colour: colour for colour in COLOURS},
    "zh": dict(zip(COLOURS, ("红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "黑色", "白色"), strict=True)),
}

NUMBERS: dict[Language, tuple[str, ...]] = {
    "en": ("zero", "one", "two", "three", "four"),
    "zh": ("零", "一", "两", "三", "四"),
}

PLACES: dict[Language, tuple[str, ...]] = {
    "en": (
        "top left",
        "top",
        "top right",
        "left",
        "centre",
        "right",
        "bottom left",
        "bottom",
        "bottom right",
    ),
    "zh": ("左上", "上方", "右上", "左边", "中间", "右边", "左下", "下方", "右下"),
}
"""By thirds, in reading order: index = 3 x row + column."""

assert len(NUMBERS["en"]) == MAX_SHAPES + 1


def shape_name(kind: Kind, language: Language, rng: random.Random, reword: bool) -> str:
    """The kind's name; reworded, sometimes another of its names."""
    names = SHAPE_NAMES[language][kind]
    return rng.choice(names) if reword and rng.random() < 0.4 else names[0]


def coloured(colour: Colour, noun: str, language: Language, rng: random.Random, reword: bool) -> str:
    """ "red star", "红色的星形"; in Chinese the 的 may be missing and 红色 may be 红."""
    name = COLOUR_NAMES[language][colour]
    if language == "en":
        return f"{name} {noun}"
    if reword and rng.random() < 0.4:
        return rng.choice((f"{name}{noun}", f"{name[0]}{noun}"))
    return f"{name}的{noun}"


def only_coloured(colour: Colour, language: Language, rng: random.Random, reword: bool) -> str:
    """ "red object", "红色的": something named by its colour alone."""
    nouns = {"en": ("object", "shape", "thing", "one", "figure"), "zh": ("", "图形", "物体", "东西")}[
        language
    ]
    noun = rng.choice(nouns) if reword and rng.random() < 0.6 else nouns[0]
    if not noun and language == "zh":
        return COLOUR_NAMES["zh"][colour] + "的"
    return coloured(colour, noun, language, rng, reword and bool(noun))
