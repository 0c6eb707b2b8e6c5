"""The arithmetic of figures: known values in, known figures out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.bench.figures import Measured, Round, Spread, Timing, engine_figures, page_figures, spread


def a_round(*timings: tuple[float, float], tokens: int, seconds: float) -> Round:
    return Round(tuple(Timing(*each) for each in timings), tokens, seconds)


ENGINE = Measured(
    (
        a_round((0.010, 1.0), (0.020, 1.0), tokens=1000, seconds=1.0),
        a_round((0.010, 1.0), (0.030, 2.0), tokens=1000, seconds=2.0),
        a_round((0.010, 1.0), (0.010, 1.2), tokens=1000, seconds=1.25),
    )
)
"""Two people, three runs: 1000, 500 and 800 tokens a second."""


def test_the_tokens_of_a_second_are_the_runs_median() -> None:
    assert ENGINE.tokens_s == 800


def test_tokens_are_those_of_one_answer() -> None:
    assert ENGINE.tokens == 500


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0], Spread(1.0, 1.0)),
        ([3.0, 1.0], Spread(2.0, 3.0)),
        ([float(each) for each in range(1, 21)], Spread(10.5, 19.0)),
        ([float(each) for each in range(100, 0, -1)], Spread(50.5, 95.0)),
    ],
)
def test_median_and_what_95_of_100_stay_below(values: list[float], expected: Spread) -> None:
    assert spread(values) == expected


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_95_of_100_are_not_above(values: list[float]) -> None:
    found = spread(values)
    assert min(values) <= found.median <= found.p95 <= max(values)
    assert sum(each <= found.p95 for each in values) >= 0.95 * len(values)


def test_the_engines_figures() -> None:
    figures: dict[str, Any] = engine_figures(2, ENGINE)
    assert figures == {
        "users": 2,
        "tokens": 500.0,
        "tokens_s": 800.0,
        "first_token_ms": {"median": 10.0, "p95": 30.0},
        "end_ms": {"median": 1000.0, "p95": 2000.0},
    }


def test_the_page_is_compared_with_the_engine() -> None:
    page = Measured((a_round((0.030, 1.1), (0.045, 1.3), tokens=900, seconds=1.5),))
    figures = page_figures(2, "api", page, ENGINE)
    assert figures == {
        "users": 2,
        "route": "api",
        "tokens": 450.0,
        "tokens_s": 600.0,
        "engine_tokens_s": 800.0,
        "ratio": 0.75,
        "first_token_delay_ms": {"median": 27.5, "p95": 15.0},
        "end_delay_ms": {"median": 200.0, "p95": -700.0},
    }


def test_the_engine_compared_with_itself_costs_nothing() -> None:
    figures = page_figures(2, "browser", ENGINE, ENGINE)
    assert figures["ratio"] == 1.0
    assert figures["first_token_delay_ms"] == figures["end_delay_ms"] == {"median": 0.0, "p95": 0.0}
