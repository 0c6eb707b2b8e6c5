"""What was timed -> figures. Pure.

Seconds count from each person's own question. Of several runs the median counts, so that one disturbed run
changes nothing; of the answers' seconds, those of all runs are taken together.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Timing:
    """One answer: seconds from its question to its first text, and to its end."""

    first_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Round:
    """Answers to questions that were asked at one moment.

    Attributes:
        timings: one for each person.
        tokens: of all answers together, as the engine counts them.
        seconds: from the first question to the end of the last answer.
    """

    timings: tuple[Timing, ...]
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile."""

    median: float
    p95: float

    def in_ms(self) -> dict[str, float]:
        """Seconds as milliseconds, for programs."""
        return {"median": round(1000 * self.median, 1), "p95": round(1000 * self.p95, 1)}

    def __sub__(self, other: Spread) -> Spread:
        return Spread(self.median - other.median, self.p95 - other.p95)


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of one way to the engine with one number of people."""

    rounds: tuple[Round, ...]

    @property
    def tokens_s(self) -> float:
        """Tokens of all people together in a second: the runs' median."""
        return statistics.median(each.tokens / each.seconds for each in self.rounds)

    @property
    def tokens(self) -> float:
        """Of one answer, on average."""
        return statistics.mean(each.tokens / len(each.timings) for each in self.rounds)

    @property
    def first_s(self) -> Spread:
        """From the question to the first text."""
        return spread([timing.first_s for each in self.rounds for timing in each.timings])

    @property
    def end_s(self) -> Spread:
        """From the question to the answer's end."""
        return spread([timing.end_s for each in self.rounds for timing in each.timings])


def spread(values: Sequence[float]) -> Spread:
    """Median and 95th percentile of at least one value; the percentile is a value that was measured."""
    return Spread(statistics.median(values), sorted(values)[math.ceil(0.95 * len(values)) - 1])


def engine_figures(users: int, engine: Measured) -> dict[str, Any]:
    """The bare engine's figures for programs."""
    return {
        "users": users,
        "tokens": round(engine.tokens, 1),
        "tokens_s": round(engine.tokens_s, 1),
        "first_token_ms": engine.first_s.in_ms(),
        "end_ms": engine.end_s.in_ms(),
    }


def page_figures(users: int, route: str, page: Measured, engine: Measured) -> dict[str, Any]:
    """The page's figures beside the bare engine's, with as many people in the same run, for programs."""
    return {
        "users": users,
        "route": route,
        "tokens": round(page.tokens, 1),
        "tokens_s": round(page.tokens_s, 1),
        "engine_tokens_s": round(engine.tokens_s, 1),
        "ratio": round(page.tokens_s / engine.tokens_s, 3),
        "first_token_delay_ms": (page.first_s - engine.first_s).in_ms(),
        "end_delay_ms": (page.end_s - engine.end_s).in_ms(),
    }
