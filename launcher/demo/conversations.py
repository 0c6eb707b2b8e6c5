"""tiny-chat's world: short conversations with known answers, in English and Chinese.

It greets, adds and subtracts numbers up to 20, reverses a short word, counts letters, and remembers a name
told earlier in the conversation; to everything else it says what it can do. ``draw_conversation(seed)`` gives
the turns with their right answers; seeds from ``HELD_OUT_START`` on are never trained on. It knows no model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from launcher.demo.chat_wordings import (
    ENGLISH_NAMES,
    ENGLISH_WORDS,
    FALLBACK_QUESTIONS,
    GIVEN_CHARACTERS,
    SURNAMES,
    WORDINGS,
)
from launcher.demo.wordings import LANGUAGES, Language

ChatKind = Literal[
    "greet", "add", "subtract", "reverse", "count_letters", "count_letter", "tell_name", "recall", "outside"
]
CHAT_KINDS: tuple[ChatKind, ...] = (
    "greet",
    "add",
    "subtract",
    "reverse",
    "count_letters",
    "count_letter",
    "tell_name",
    "recall",
    "outside",
)
LARGEST_NUMBER = 20
SHORTEST_WORD, LONGEST_WORD = 2, 8
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

GREETING: dict[Language, str] = {"en": "Hello! How can I help you?", "zh": "你好！有什么可以帮你？"}
FALLBACK: dict[Language, str] = {
    "en": "I only know greetings, small sums, short words and names.",
    "zh": "我只会问候、小算术、短单词和名字。",
}
UNKNOWN_NAME: dict[Language, str] = {
    "en": "You have not told me your name.",
    "zh": "你还没有告诉我你的名字。",
}


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """What a person says and the right answer to it, given the turns before."""

    kind: ChatKind
    language: Language
    text: str
    answer: str


def draw_conversation(
    seed: int, language: Language | None = None, kind: ChatKind | None = None
) -> tuple[ChatTurn, ...]:
    """A conversation of 1 to 6 turns.

    Args:
        seed: the same seed gives the same conversation.
        language: of all turns; None draws one, with a few turns in the other.
        kind: of the last turn; None draws it.
    """
    rng = random.Random(f"chat-{seed}-{language}-{kind}")
    spoken = rng.choice(LANGUAGES) if language is None else language
    count = rng.choice((1, 1, 2, 3, 4, 5))
    turns: list[ChatTurn] = []
    name: str | None = None
    if rng.random() < (0.85 if kind == "recall" else 0.3):
        turns.append(_tell_name(spoken, rng))
        count += 1
    while len(turns) < count:
        last = len(turns) == count - 1
        now = spoken if language or rng.random() < 0.9 else rng.choice(LANGUAGES)
        chosen = (
            kind if kind and last else rng.choices(CHAT_KINDS, (0.5, 1, 1, 1.5, 1, 2.5, 0.5, 1.5, 0.6))[0]
        )
        name = _name_in(turns)
        turns.append(_recall(name, now, rng) if chosen == "recall" else _TURNS[chosen](now, rng))
    return tuple(turns)


def right(turn: ChatTurn, answer: str) -> bool:
    """Whether an answer says the same as the known one; case, spaces and the final mark do not matter."""
    return _plain(answer) == _plain(turn.answer)


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".。!！?？").lower()


def _name_in(turns: list[ChatTurn]) -> str | None:
    told = [turn for turn in turns if turn.kind == "tell_name"]
    if not told:
        return None
    return told[-1].answer.removeprefix("Nice to meet you, ").removeprefix("很高兴认识你，").rstrip(".。")


def _vary(text: str, language: Language, rng: random.Random, *, keep_case: bool) -> str:
    """Case and final mark as people type them."""
    if text[-1] in "?？.。!！" and rng.random() < 0.3:
        text = text[:-1]
    if language == "zh" and text[-1] == "？" and rng.random() < 0.2:
        text = text[:-1] + "?"
    if language == "en" and not keep_case:
        draw = rng.random()
        text = text.lower() if draw < 0.25 else text.upper() if draw < 0.3 else text
    return text


def _say(kind: str, language: Language, rng: random.Random, **values: object) -> str:
    wordings = WORDINGS[kind][language]
    return (wordings[0] if rng.random() < 0.2 else rng.choice(wordings)).format(**values)


def _greet(language: Language, rng: random.Random) -> ChatTurn:
    return ChatTurn(
        "greet",
        language,
        _vary(_say("greet", language, rng), language, rng, keep_case=False),
        GREETING[language],
    )


def _sum(kind: Literal["add", "subtract"]) -> Callable[[Language, random.Random], ChatTurn]:
    def turn(language: Language, rng: random.Random) -> ChatTurn:
        a, b = rng.randint(0, LARGEST_NUMBER), rng.randint(0, LARGEST_NUMBER)
        text = _vary(_say(kind, language, rng, a=a, b=b), language, rng, keep_case=False)
        return ChatTurn(kind, language, text, f"{a + b if kind == 'add' else a - b}{_stop(language)}")

    return turn


def _stop(language: Language) -> str:
    return "." if language == "en" else "。"


def _draw_word(rng: random.Random) -> str:
    """A word of the list, or letters at random: what is learnt must hold for any word."""
    if rng.random() < 0.4:
        return rng.choice(ENGLISH_WORDS)
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(SHORTEST_WORD, LONGEST_WORD)))


def _reverse(language: Language, rng: random.Random) -> ChatTurn:
    word = _draw_word(rng)
    text = _vary(_say("reverse", language, rng, word=word), language, rng, keep_case=True)
    return ChatTurn("reverse", language, text, f"{word[::-1]}{_stop(language)}")


def _number_of(count: int, language: Language) -> str:
    return f"{count}." if language == "en" else f"{count}个。"


def _count_letters(language: Language, rng: random.Random) -> ChatTurn:
    word = _draw_word(rng)
    text = _vary(_say("count_letters", language, rng, word=word), language, rng, keep_case=True)
    return ChatTurn("count_letters", language, text, _number_of(len(word), language))


def _count_letter(language: Language, rng: random.Random) -> ChatTurn:
    """How often one letter stands in a word; mostly one that is there, sometimes twice or more."""
    word = _draw_word(rng)
    letter = rng.choice(word) if rng.random() < 0.8 else rng.choice(_LETTERS)
    if rng.random() < 0.4:
        place = rng.randrange(len(word))
        word = word[:place] + letter + word[place + 1 :]
    text = _vary(_say("count_letter", language, rng, word=word, letter=letter), language, rng, keep_case=True)
    return ChatTurn("count_letter", language, text, _number_of(word.count(letter), language))


def _draw_name(language: Language, rng: random.Random) -> str:
    if language == "zh" and rng.random() < 0.8:
        return rng.choice(SURNAMES) + "".join(rng.choice(GIVEN_CHARACTERS) for _ in range(rng.randint(1, 2)))
    if rng.random() < 0.6:
        return rng.choice(ENGLISH_NAMES)
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 8))).capitalize()


def _tell_name(language: Language, rng: random.Random) -> ChatTurn:
    name = _draw_name(language, rng)
    text = _vary(_say("tell_name", language, rng, name=name), language, rng, keep_case=True)
    answer = f"Nice to meet you, {name}." if language == "en" else f"很高兴认识你，{name}。"
    return ChatTurn("tell_name", language, text, answer)


def _recall(name: str | None, language: Language, rng: random.Random) -> ChatTurn:
    text = _vary(_say("recall", language, rng), language, rng, keep_case=False)
    if name is None:
        return ChatTurn("recall", language, text, UNKNOWN_NAME[language])
    return ChatTurn(
        "recall", language, text, f"Your name is {name}." if language == "en" else f"你叫{name}。"
    )


def _outside(language: Language, rng: random.Random) -> ChatTurn:
    text = _vary(rng.choice(FALLBACK_QUESTIONS[language]), language, rng, keep_case=False)
    return ChatTurn("outside", language, text, FALLBACK[language])


_TURNS: dict[str, Callable[[Language, random.Random], ChatTurn]] = {
    "greet": _greet,
    "add": _sum("add"),
    "subtract": _sum("subtract"),
    "reverse": _reverse,
    "count_letters": _count_letters,
    "count_letter": _count_letter,
    "tell_name": _tell_name,
    "outside": _outside,
}


def chat_corpus() -> Iterator[str]:
    """What the tokenizer is made from: single letters, so that words can be reversed and counted."""
    characters: set[str] = set("".join(map(chr, range(33, 127))) + " ")
    texts = [*GREETING.values(), *FALLBACK.values(), *UNKNOWN_NAME.values(), "很高兴认识你，你叫。个"]
    texts += [SURNAMES, GIVEN_CHARACTERS]
    for wordings in WORDINGS.values():
        texts += [text for language in LANGUAGES for text in wordings[language]]
    characters |= set("".join(texts))
    yield from (character for character in sorted(characters))
