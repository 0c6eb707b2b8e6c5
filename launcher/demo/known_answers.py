"""Known answers on pictures never seen in training: what tests, benchmarks and every engine are held to;
torch-free.

A picture's seed decides its part: seeds below ``HELD_OUT_START`` are for training, seeds from there on are
never trained on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from launcher.demo.pictures import Scene, draw_scene
from launcher.demo.questions import PICTURE_KINDS, Question, ask
from launcher.demo.wordings import LANGUAGES, Language, QuestionKind

HELD_OUT_START = 1 << 40


@dataclass(frozen=True, slots=True)
class Case:
    """One picture (``launcher.demo.pictures.encode`` gives its file), one question about it, and the right
    answer."""

    scene: Scene
    question: Question


def held_out_scene(index: int) -> Scene:
    """The ``index``-th picture that training never sees."""
    return draw_scene(HELD_OUT_START + index)


def held_out_cases(
    pictures: int,
    kinds: Sequence[QuestionKind] = PICTURE_KINDS,
    languages: Sequence[Language] = LANGUAGES,
    *,
    first: int = 0,
    reword: bool = True,
) -> Iterator[Case]:
    """Every kind in every language about each of that many held-out pictures, where it has one right answer.

    Args:
        pictures: how many pictures.
        kinds: which questions.
        languages: which languages.
        first: index of the first picture; other values give other pictures.
        reword: False asks in the words that known answers are listed under, True in any of the wordings.
    """
    for index in range(first, first + pictures):
        scene = held_out_scene(index)
        for kind in kinds:
            for language in languages:
                rng = random.Random(f"held-out-{scene.seed}-{kind}-{language}-{reword}")
                question = ask(scene, kind, language, rng, reword=reword)
                if question is not None:
                    yield Case(scene, question)
