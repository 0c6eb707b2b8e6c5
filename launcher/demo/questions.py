"""The Shapes world's questions and their right answers, in English and Chinese.

``ask(scene, kind, language, rng)`` words one question that has exactly one right answer for that scene, or
says that there is none. Two rules keep questions unambiguous:

- "the star" is asked for only when the picture has one star, "the red object" only when one shape is red;
- a place is asked for only when it is beyond doubt: the middle of the shape's box and its centre of mass lie
  in the same third,
  both at least ``PLACE_MARGIN`` of the side away from the lines between thirds.

"Describe" lists shapes in reading order of their places (top row first, each row from the left), then in the
order of ``COLOURS`` and of ``KINDS``; so the words alone fix the order, and no fine measure does.

It draws nothing and knows no model; ``launcher.demo.judging`` decides whether an answer is right.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from launcher.demo.naming import (
    COLOUR_NAMES,
    NUMBERS,
    PLACES,
    SHAPE_NAMES,
    coloured,
    only_coloured,
    shape_name,
)
from launcher.demo.pictures import COLOURS, KINDS, Colour, Kind, Scene, Shape
from launcher.demo.typing_habits import vary
from launcher.demo.wordings import OUTSIDE_NOUNS, OUTSIDE_QUESTIONS, WORDINGS, Language, QuestionKind

PLACE_MARGIN = 0.02
"""Share of a side around a line between thirds where a place is not asked for: no eye could tell."""

PICTURE_KINDS: tuple[QuestionKind, ...] = (
    "colour",
    "shape",
    "count",
    "count_of",
    "where",
    "exists",
    "describe",
)
"""The kinds that known answers are listed for; the others are "absent", "outside" and "no_picture"."""

OUTSIDE_ANSWER: dict[Language, str] = {"en": "I only know simple shapes.", "zh": "我只认识简单的图形。"}
NO_PICTURE_ANSWER: dict[Language, str] = {"en": "Please give me a picture.", "zh": "请给我一张图片。"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its right answer. ``place`` indexes of shapes are not kept: the answer's words say
    all."""

    kind: QuestionKind
    language: Language
    text: str
    answer: str


def place_of(shape: Shape, scene: Scene) -> int | None:
    """Index into ``PLACES``, or None when the place is open to doubt."""
    places = {_place_at(x / scene.width_px, y / scene.height_px) for x, y in (shape.centre, shape.centroid)}
    return places.pop() if len(places) == 1 else None


def _place_at(x: float, y: float) -> int | None:
    """``x`` and ``y`` are shares of the sides; None within ``PLACE_MARGIN`` of a line."""
    if any(abs(v - line) < PLACE_MARGIN for v in (x, y) for line in (1 / 3, 2 / 3)):
        return None
    return 3 * min(int(y * 3), 2) + min(int(x * 3), 2)


def ask(
    scene: Scene, kind: QuestionKind, language: Language, rng: random.Random, *, reword: bool = True
) -> Question | None:
    """A question of that kind with one right answer, or None when the scene has none.

    Args:
        scene: what is asked about; "outside" and "no_picture" do not look at it.
        kind: which question.
        language: of question and answer.
        rng: chooses what is asked for and how it is worded.
        reword: False words it exactly as known answers list it.
    """
    drawn = _ASKERS[kind](scene, language, rng, reword)
    if drawn is None:
        return None
    text, answer = drawn
    return Question(kind, language, vary(text, language, rng) if reword else text, answer)


_Drawn = tuple[str, str] | None


def _wording(kind: QuestionKind, language: Language, rng: random.Random, reword: bool, it: str = "") -> str:
    choices = WORDINGS[kind][language]
    # The listed wording is what most people type: a fifth of the questions keep it.
    chosen = rng.choice(choices) if reword and rng.random() > 0.2 else choices[0]
    return _mend_article(chosen.format(it=it).replace("的的", "的"))


def _mend_article(text: str) -> str:
    for vowel in "aeio":
        text = text.replace(f" a {vowel}", f" an {vowel}")
    return f"An {text[2:]}" if text[:3] in {"A a", "A e", "A i", "A o"} else text


def _sentence(text: str, language: Language) -> str:
    return f"{text[0].upper()}{text[1:]}." if language == "en" else f"{text}。"


def _ask_colour(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    single = [shape for shape in scene.shapes if [s.kind for s in scene.shapes].count(shape.kind) == 1]
    if not single:
        return None
    shape = rng.choice(single)
    text = _wording("colour", language, rng, reword, shape_name(shape.kind, language, rng, reword))
    return text, _sentence(COLOUR_NAMES[language][shape.colour], language)


def _ask_shape(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    single = [shape for shape in scene.shapes if [s.colour for s in scene.shapes].count(shape.colour) == 1]
    if not single:
        return None
    shape = rng.choice(single)
    text = _wording("shape", language, rng, reword, only_coloured(shape.colour, language, rng, reword))
    name = SHAPE_NAMES[language][shape.kind][0]
    return text, _sentence(f"a {name}" if language == "en" else name, language)


def _number(count: int, language: Language) -> str:
    return _sentence(
        NUMBERS[language][count] if language == "en" else f"{NUMBERS[language][count]}个", language
    )


def _ask_count(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    return _wording("count", language, rng, reword), _number(len(scene.shapes), language)


def _ask_count_of(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    """Counts a kind; reworded, sometimes a colour or both. Shapes that are there are asked for twice as often
    as others."""
    kinds = [shape.kind for shape in scene.shapes]
    kind = rng.choice(kinds) if rng.random() < 0.65 else rng.choice(KINDS)
    count = kinds.count(kind)
    noun = shape_name(kind, language, rng, reword)
    what = f"{noun}s" if language == "en" else noun
    if reword and rng.random() < 0.3:
        colour = rng.choice(scene.shapes).colour if rng.random() < 0.8 else rng.choice(COLOURS)
        if rng.random() < 0.7:
            what = coloured(colour, {"en": "shapes", "zh": "图形"}[language], language, rng, reword)
            count = [shape.colour for shape in scene.shapes].count(colour)
        else:
            what = coloured(colour, what, language, rng, reword)
            count = [(shape.kind, shape.colour) for shape in scene.shapes].count((kind, colour))
    return _wording("count_of", language, rng, reword, what), _number(count, language)


def _ask_where(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    """Asks for a shape by kind; reworded, sometimes by colour or both."""
    manner = rng.choice(("kind", "kind", "kind", "colour", "both")) if reword else "kind"
    names = {shape: _where_key(shape, manner) for shape in scene.shapes}
    single = [
        s
        for s in scene.shapes
        if list(names.values()).count(names[s]) == 1 and place_of(s, scene) is not None
    ]
    if not single:
        return None
    shape = rng.choice(single)
    noun = shape_name(shape.kind, language, rng, reword)
    it = {
        "kind": lambda: noun,
        "colour": lambda: only_coloured(shape.colour, language, rng, reword),
        "both": lambda: coloured(shape.colour, noun, language, rng, reword),
    }[manner]()
    place = place_of(shape, scene)
    assert place is not None
    return _wording("where", language, rng, reword, it), _sentence(PLACES[language][place], language)


def _where_key(shape: Shape, manner: str) -> tuple[str, ...]:
    return {"kind": (shape.kind,), "colour": (shape.colour,), "both": (shape.kind, shape.colour)}[manner]


def _ask_exists(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    """Half the answers are yes. Most noes are hard: the colour or the shape is there, the pair is not."""
    wanted = rng.random() < 0.5
    if reword and rng.random() < 0.2:
        return _ask_exists_part(scene, language, rng, wanted)
    pairs = {(shape.kind, shape.colour) for shape in scene.shapes}
    kind, colour = rng.choice(sorted(pairs)) if wanted else _missing_pair(pairs, rng)
    it = coloured(colour, shape_name(kind, language, rng, reword), language, rng, reword)
    return _wording("exists", language, rng, reword, it), _yes_or_no(wanted, language)


def _missing_pair(pairs: set[tuple[Kind, Colour]], rng: random.Random) -> tuple[Kind, Colour]:
    while True:
        near_kind, near_colour = rng.choice(sorted(pairs))[0], rng.choice(sorted(pairs))[1]
        way = rng.random()
        pair = (
            near_kind if way < 0.7 else rng.choice(KINDS),
            near_colour if 0.35 < way < 0.95 else rng.choice(COLOURS),
        )
        if pair not in pairs:
            return pair


def _ask_exists_part(scene: Scene, language: Language, rng: random.Random, wanted: bool) -> _Drawn:
    """Asks for a kind or for a colour alone."""
    if rng.random() < 0.5:
        kinds = [kind for kind in KINDS if (kind in {shape.kind for shape in scene.shapes}) == wanted]
        if not kinds:
            return None
        it = shape_name(rng.choice(kinds), language, rng, reword=True)
    else:
        colours = [
            colour for colour in COLOURS if (colour in {shape.colour for shape in scene.shapes}) == wanted
        ]
        it = only_coloured(rng.choice(colours), language, rng, reword=True)
    return _wording("exists", language, rng, True, it), _yes_or_no(wanted, language)


def _yes_or_no(yes: bool, language: Language) -> str:
    return {"en": ("No.", "Yes."), "zh": ("没有。", "有。")}[language][yes]


def _ask_describe(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    placed = [
        (place_of(shape, scene), COLOURS.index(shape.colour), KINDS.index(shape.kind))
        for shape in scene.shapes
    ]
    known = [(place, colour, kind) for place, colour, kind in placed if place is not None]
    if len(known) < len(placed):
        return None
    parts = [_part(PLACES[language][p], COLOURS[c], KINDS[k], language) for p, c, k in sorted(known)]
    return _wording("describe", language, rng, reword), _join(parts, language)


def _part(place: str, colour: Colour, kind: Kind, language: Language) -> str:
    shape = (
        f"{COLOUR_NAMES[language][colour]}{' ' if language == 'en' else ''}{SHAPE_NAMES[language][kind][0]}"
    )
    if language == "zh":
        return f"{place}有一个{shape}"
    return f"{'an' if shape[0] == 'o' else 'a'} {shape} at the {place}"


def _join(parts: list[str], language: Language) -> str:
    if language == "zh":
        return "，".join(parts) + "。"
    head, tail = ", ".join(parts[:-1]), parts[-1]
    return _sentence(f"{head} and {tail}" if head else tail, language)


def _ask_absent(scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    """Asks for the colour, shape or place of something that is not there."""
    kinds = [kind for kind in KINDS if kind not in {shape.kind for shape in scene.shapes}]
    colours = [colour for colour in COLOURS if colour not in {shape.colour for shape in scene.shapes}]
    if kinds and rng.random() < 0.6:
        kind = rng.choice(kinds)
        asked: QuestionKind = rng.choice(("colour", "where"))
        text = _wording(asked, language, rng, reword, shape_name(kind, language, rng, reword))
        name = SHAPE_NAMES[language][kind][0]
        return text, f"There is no {name}." if language == "en" else f"没有{name}。"
    colour = rng.choice(colours)
    asked = rng.choice(("shape", "where"))
    text = _wording(asked, language, rng, reword, only_coloured(colour, language, rng, reword))
    name = COLOUR_NAMES[language][colour]
    return text, f"There is no {name} shape." if language == "en" else f"没有{name}的图形。"


def _ask_outside(_scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    """A question outside this world: a whole one, or one of ours about something that is no shape."""
    if not reword or rng.random() < 0.5:
        return rng.choice(OUTSIDE_QUESTIONS[language]), OUTSIDE_ANSWER[language]
    noun = rng.choice(OUTSIDE_NOUNS[language])
    kind: QuestionKind = rng.choice(("colour", "shape", "where", "exists", "count_of"))
    if kind != "count_of" and rng.random() < 0.3:
        noun = coloured(rng.choice(COLOURS), noun, language, rng, reword)
    it = f"{noun}s" if kind == "count_of" and language == "en" else noun
    return _wording(kind, language, rng, reword, it), OUTSIDE_ANSWER[language]


def _ask_no_picture(_scene: Scene, language: Language, rng: random.Random, reword: bool) -> _Drawn:
    """A question of this world asked before any picture was given."""
    kind: QuestionKind = rng.choice(PICTURE_KINDS)
    it = shape_name(rng.choice(KINDS), language, rng, reword)
    if kind == "shape":
        it = only_coloured(rng.choice(COLOURS), language, rng, reword)
    elif kind == "exists":
        it = coloured(rng.choice(COLOURS), it, language, rng, reword)
    elif kind == "count_of" and language == "en":
        it = f"{it}s"
    return _wording(kind, language, rng, reword, it), NO_PICTURE_ANSWER[language]


_ASKERS = {
    "colour": _ask_colour,
    "shape": _ask_shape,
    "count": _ask_count,
    "count_of": _ask_count_of,
    "where": _ask_where,
    "exists": _ask_exists,
    "describe": _ask_describe,
    "absent": _ask_absent,
    "outside": _ask_outside,
    "no_picture": _ask_no_picture,
}
