"""tiny-chat's known answers are right, worked out here from the question's own text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.demo.conversations import (
    CHAT_KINDS,
    FALLBACK,
    GREETING,
    UNKNOWN_NAME,
    ChatKind,
    ChatTurn,
    draw_conversation,
    right,
)
from launcher.demo.wordings import LANGUAGES, Language

seeds = st.integers(min_value=0, max_value=2**48)


@settings(max_examples=800, deadline=None)
@given(seeds, st.sampled_from(LANGUAGES), st.sampled_from(CHAT_KINDS))
def test_the_last_answer_is_right(seed: int, language: Language, kind: ChatKind) -> None:
    turns = draw_conversation(seed, language, kind)
    last = turns[-1]
    assert last.kind == kind
    assert all(turn.language == language for turn in turns)
    assert last.answer in _right_answers(turns)


def _right_answers(turns: tuple[ChatTurn, ...]) -> set[str]:
    last = turns[-1]
    stop = {"en": ".", "zh": "。"}[last.language]
    numbers = [int(n) for n in re.findall(r"\d+", last.text)]
    if last.kind == "add":
        return {f"{sum(numbers)}{stop}"}
    if last.kind == "subtract":
        a, b = numbers
        swapped = re.search(r"subtract|take", last.text, re.IGNORECASE)
        return {f"{b - a if swapped else a - b}{stop}"}
    if last.kind == "greet":
        return {GREETING[last.language]}
    if last.kind == "outside":
        return {FALLBACK[last.language]}
    if last.kind == "recall":
        return {_recalled(turns)}
    words = re.findall(r"[A-Za-z]+", last.text)
    if last.kind == "reverse":
        return {f"{word[::-1]}{stop}" for word in words}
    if last.kind == "count_letters":
        return {_counted(len(word), last.language) for word in words}
    if last.kind == "count_letter":
        singles = {w.rstrip("s") if len(w) == 2 else w for w in words if len(w.rstrip("s")) <= 1} | {"s"}
        return {_counted(word.count(letter), last.language) for word in words for letter in singles if letter}
    name = last.answer.removeprefix("Nice to meet you, ").removeprefix("很高兴认识你，")[:-1]
    return {f"Nice to meet you, {name}.", f"很高兴认识你，{name}。"} if name in last.text else set()


def _counted(count: int, language: Language) -> str:
    return f"{count}." if language == "en" else f"{count}个。"


def _recalled(turns: tuple[ChatTurn, ...]) -> str:
    language = turns[-1].language
    told = [turn for turn in turns[:-1] if turn.kind == "tell_name"]
    if not told:
        return UNKNOWN_NAME[language]
    name = told[-1].answer.removeprefix("Nice to meet you, ").removeprefix("很高兴认识你，").rstrip(".。")
    assert name in told[-1].text
    return f"Your name is {name}." if language == "en" else f"你叫{name}。"


def test_the_same_seed_gives_the_same_conversation() -> None:
    assert draw_conversation(7) == draw_conversation(7)
    assert len({draw_conversation(seed) for seed in range(50)}) > 40


@pytest.mark.parametrize(
    ("answer", "same"),
    [("12.", True), (" 12 ", True), ("12!", True), ("13.", False), ("12. 13.", False), ("", False)],
)
def test_right_overlooks_marks_and_spaces_only(answer: str, same: bool) -> None:
    assert right(ChatTurn("add", "en", "What is 7 + 5?", "12."), answer) is same
