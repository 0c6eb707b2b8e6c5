"""How people type the same question: spelling, case, final mark and small additions that change nothing."""

from __future__ import annotations

import random

from launcher.demo.wordings import PREFIXES, SUFFIXES, Language


def vary(text: str, language: Language, rng: random.Random) -> str:
    """Spelling, case, final mark and small additions that change nothing."""
    mark = text[-1] if text[-1] in "?？.。!！" else ""
    body = text[: len(text) - len(mark)]
    if rng.random() < 0.06:
        body += rng.choice(SUFFIXES[language]) if not body.endswith(SUFFIXES[language]) else ""
    if rng.random() < 0.06:
        prefix = rng.choice(PREFIXES[language])
        body = prefix + (body[0].lower() + body[1:] if body[:2] != "I " else body)
    if language == "en":
        body = _vary_english(body, rng)
    mark = _vary_mark(mark, language, rng)
    return body + mark


def _vary_english(body: str, rng: random.Random) -> str:
    if rng.random() < 0.4:
        body = body.replace("colour", "color").replace("Colour", "Color")
    draw = rng.random()
    if draw < 0.25:
        return body.lower()
    return body.upper() if draw < 0.37 else body


def _vary_mark(mark: str, language: Language, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.3:
        return ""
    if language == "zh" and draw < 0.4:
        return {"？": "?", "。": ".", "！": "!"}.get(mark, mark)
    return mark
