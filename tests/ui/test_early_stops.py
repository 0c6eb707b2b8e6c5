"""A stop waits for its question, but not for good: nobody says which stops came too late."""

from __future__ import annotations

from launcher.ui.early_stops import MOST_WAITING, WAITS_S, EarlyStops


def test_a_turn_is_stopped_once() -> None:
    stops = EarlyStops()
    stops.add("mine")
    assert not stops.take("another's")
    assert stops.take("mine")
    assert not stops.take("mine")


def test_a_stop_whose_question_does_not_come_is_forgotten() -> None:
    now_s = 0.0
    stops = EarlyStops(lambda: now_s)
    stops.add("late")
    now_s = WAITS_S / 2
    stops.add("early")
    now_s = WAITS_S + 1
    assert not stops.take("late")
    assert stops.take("early")


def test_a_turn_that_is_stopped_again_waits_anew() -> None:
    now_s = 0.0
    stops = EarlyStops(lambda: now_s)
    stops.add("mine")
    now_s = WAITS_S
    stops.add("mine")
    now_s = WAITS_S + 1
    assert stops.take("mine")


def test_no_more_wait_than_may() -> None:
    stops = EarlyStops()
    for number in range(10 * MOST_WAITING):
        stops.add(number)
    assert not stops.take(0)
    assert len(stops._waiting) == MOST_WAITING
