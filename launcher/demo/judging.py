"""Whether an answer about a Shapes picture is right: case, spaces, spelling and final marks do not matter,
what is said does.

The describe question counts as right when exactly the shapes of the known answer are named, each with its
colour and place, in any order. An answer is judged by its language's words alone; anything it says besides
makes it wrong.
"""

from __future__ import annotations

import re
from collections import Counter

from launcher.demo.naming import COLOUR_NAMES, NUMBERS, PLACES, SHAPE_NAMES
from launcher.demo.pictures import COLOURS, KINDS
from launcher.demo.questions import Question
from launcher.demo.wordings import Language

_MARKS = ".。!！?？,，;； "
_ENGLISH_SYNONYMS = {
    "center": "centre",
    "middle": "centre",
    "upper": "top",
    "lower": "bottom",
    "top centre": "top",
    "bottom centre": "bottom",
    "centre left": "left",
    "centre right": "right",
    "color": "colour",
    "none": "zero",
}
_CHINESE_SYNONYMS = {
    "上边": "上方",
    "上面": "上方",
    "下边": "下方",
    "下面": "下方",
    "左侧": "左边",
    "左方": "左边",
    "右侧": "右边",
    "右方": "右边",
    "中央": "中间",
    "中心": "中间",
    "左上方": "左上",
    "右上方": "右上",
    "左下方": "左下",
    "右下方": "右下",
    "左上角": "左上",
    "右上角": "右上",
    "左下角": "左下",
    "右下角": "右下",
    "二个": "两个",
    "色的": "色",
}
_ENGLISH_PART = re.compile(
    rf"an? (?P<colour>{'|'.join(COLOURS)}) (?P<kind>{'|'.join(KINDS)}) (?:at|in|on) the "
    rf"(?P<place>{'|'.join(sorted(PLACES['en'], key=len, reverse=True))})"
)
_CHINESE_PART = re.compile(
    rf"(?P<place>{'|'.join(PLACES['zh'])})(?:有|是)?一?个?"
    rf"(?P<colour>{'|'.join(COLOUR_NAMES['zh'].values())})"
    rf"(?P<kind>{'|'.join(names[0] for names in SHAPE_NAMES['zh'].values())})"
)
_Part = tuple[str, str, str]


def judge(question: Question, answer: str) -> bool:
    """Whether ``answer`` is right for ``question``."""
    said, known = (_plain(text, question.language) for text in (answer, question.answer))
    if question.kind != "describe":
        return said == known
    parts = _parts(said, question.language)
    return parts is not None and parts == _parts(known, question.language)


def _plain(text: str, language: Language) -> str:
    """Lower case, one spelling and one name for each thing, no marks at the ends."""
    text = " ".join(text.split()).lower().strip(_MARKS)
    if language == "zh":
        return _replaced(text.replace(" ", ""), _CHINESE_SYNONYMS)
    text = _replaced(text.replace("-", " "), _ENGLISH_SYNONYMS)
    text = re.sub(r"^(?:the )?(?:at|in|on) the ", "", text)
    return _digits_spelt(text)


def _replaced(text: str, synonyms: dict[str, str]) -> str:
    for word, name in synonyms.items():
        text = re.sub(rf"\b{word}\b", name, text) if word.isascii() else text.replace(word, name)
    return text


def _digits_spelt(text: str) -> str:
    return NUMBERS["en"][int(text)] if text in set("01234") else text


def _parts(text: str, language: Language) -> Counter[_Part] | None:
    """Colour, kind and place of every shape named; None when something else is said too."""
    pattern = _ENGLISH_PART if language == "en" else _CHINESE_PART
    parts = Counter((match["colour"], match["kind"], match["place"]) for match in pattern.finditer(text))
    rest = pattern.sub("", text)
    joints = {"en": r"(?:,| |and|there is|there are)*", "zh": r"[，,、和]*"}[language]
    return parts if parts and re.fullmatch(joints, rest) else None
