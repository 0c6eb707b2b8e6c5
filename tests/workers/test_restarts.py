"""Restarts: the first at once, then with growing pauses, then not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.workers.restarts import FIRST_PAUSE_S, MAX_RESTARTS, WINDOW_S, Death, pause_before_restart_s


def deaths(*at_s: float) -> list[Death]:
    return [Death(time_s, while_loading=False) for time_s in at_s]


def test_the_first_restart_is_at_once_and_the_pauses_double() -> None:
    pauses = [pause_before_restart_s(deaths(*range(count))) for count in range(1, MAX_RESTARTS + 2)]
    assert pauses == [0.0, *(FIRST_PAUSE_S * 2**step for step in range(MAX_RESTARTS - 1)), None]


def test_deaths_long_ago_are_forgotten() -> None:
    assert pause_before_restart_s(deaths(0, 1, 2, 3, 4, 5 + WINDOW_S)) == 0.0


def test_two_deaths_in_a_row_while_loading_are_enough() -> None:
    loading = Death(1, while_loading=True)
    assert pause_before_restart_s([loading]) == 0.0
    assert pause_before_restart_s([loading, Death(2, while_loading=True)]) is None
    assert pause_before_restart_s([loading, *deaths(2), Death(3, while_loading=True)]) is not None


@given(st.lists(st.builds(Death, st.floats(0, 2 * WINDOW_S), st.booleans()), min_size=1, max_size=12))
def test_a_pause_is_short_beside_the_window(some: list[Death]) -> None:
    pause_s = pause_before_restart_s(sorted(some, key=lambda death: death.at_s))
    assert pause_s is None or 0 <= pause_s < WINDOW_S / 10
