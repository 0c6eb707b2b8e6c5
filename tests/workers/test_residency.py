"""Who gives up what: enough, no more than needed, sleep before ending, idle before busy, least recently used
first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.workers.model_record import Claim, ModelNeeds, ModelRecord
from launcher.workers.residency import Leaving, Resident, fits, held, to_release
from launcher.workers.states import ModelState

SLEEP, END = Leaving.SLEEP, Leaving.END


@st.composite
def residents_of_any_kind(draw: st.DrawFn) -> list[Resident]:
    found = []
    for number in range(draw(st.integers(0, 6))):
        held_bytes = draw(st.integers(1, 10))
        asleep_bytes = draw(st.none() | st.integers(0, held_bytes))
        asleep = asleep_bytes is not None and draw(st.booleans())
        ways = [None, END] if asleep or asleep_bytes is None else [None, SLEEP, END]
        resident = Resident(
            f"model {number}", held_bytes, draw(st.booleans()), draw(st.floats(0, 100)), asleep_bytes, asleep
        )
        found.append(replace(resident, leaving=draw(st.sampled_from(ways))))
    return found


def is_enough(wanted: int, budget: int, residents: list[Resident], ways: dict[str, Leaving]) -> bool:
    everyone = {one.name: one.leaving for one in residents if one.leaving} | ways
    return (
        all(everyone.get(one.name) is END for one in residents)
        or wanted + held(residents, everyone) <= budget
    )


@given(st.integers(1, 15), st.integers(1, 20), residents_of_any_kind())
def test_what_is_released_is_enough_and_each_is_needed(
    wanted: int, budget: int, residents: list[Resident]
) -> None:
    released = to_release(wanted, budget, residents)
    assert is_enough(wanted, budget, residents, released)
    for name in released:
        others = {other: way for other, way in released.items() if other != name}
        assert not is_enough(wanted, budget, residents, others)


@given(st.integers(1, 15), st.integers(1, 20), residents_of_any_kind())
def test_nobody_does_what_it_cannot_or_does_already(
    wanted: int, budget: int, residents: list[Resident]
) -> None:
    released = to_release(wanted, budget, residents)
    for one in residents:
        way = released.get(one.name)
        if way is SLEEP:
            assert one.asleep_bytes is not None
            assert not one.asleep
            assert one.leaving is None
        if way is END:
            assert one.leaving is not END


@given(st.integers(1, 15), st.integers(1, 20), residents_of_any_kind())
def test_a_busy_model_leaves_only_where_all_idle_ones_would_not_do(
    wanted: int, budget: int, residents: list[Resident]
) -> None:
    released = to_release(wanted, budget, residents)
    if any(one.name in released for one in residents if not one.idle):
        assert not is_enough(wanted, budget, residents, {one.name: END for one in residents if one.idle})


@given(st.integers(1, 15), st.integers(1, 20), residents_of_any_kind())
def test_an_idle_model_ends_only_where_sleep_would_not_do(
    wanted: int, budget: int, residents: list[Resident]
) -> None:
    released = to_release(wanted, budget, residents)
    sleepers = [
        one
        for one in residents
        if one.idle and one.asleep_bytes is not None and not one.asleep and one.leaving is None
    ]
    if any(released.get(one.name) is END for one in residents if one.idle):
        assert not is_enough(wanted, budget, residents, {one.name: SLEEP for one in sleepers})


def idle(name: str, held_bytes: int, used_s: float, asleep_bytes: int | None = None) -> Resident:
    return Resident(name, held_bytes, True, used_s, asleep_bytes)


def test_the_least_recently_used_goes_first() -> None:
    old, recent = idle("old", 4, 1), idle("recent", 4, 2)
    assert to_release(4, 8, [recent, old]) == {"old": END}
    assert to_release(8, 8, [recent, old]) == {"old": END, "recent": END}


def test_sleep_is_enough_where_what_stays_leaves_room() -> None:
    old, recent = idle("old", 6, 1, 1), replace(idle("recent", 1, 2, 1), asleep=True)
    assert to_release(6, 8, [old, recent]) == {"old": SLEEP}


def test_a_sleeper_ends_where_all_sleep_is_not_enough() -> None:
    sleeper, loaded = replace(idle("sleeper", 2, 1, 2), asleep=True), idle("loaded", 6, 2, 1)
    assert to_release(6, 8, [sleeper, loaded]) == {"sleeper": END, "loaded": SLEEP}


def test_nobody_leaves_needlessly_when_one_large_model_is_enough() -> None:
    small, large = idle("small", 1, 1), idle("large", 7, 2)
    assert to_release(7, 8, [small, large]) == {"large": END}


def test_memory_that_is_coming_back_already_is_counted() -> None:
    leaving, other = replace(idle("leaving", 4, 2), leaving=END), idle("other", 4, 1)
    assert to_release(4, 8, [leaving, other]) == {}
    assert not fits(4, 8, [leaving, other])


def test_a_model_beyond_the_budget_may_try_alone() -> None:
    assert fits(9, 8, [])
    assert to_release(9, 8, [idle("small", 1, 1, 1)]) == {"small": END}


@pytest.mark.parametrize(("reached", "held"), [(ModelState.LOADING, 7), (ModelState.READY, 6)])
def test_who_is_stopped_holds_what_the_state_before_took(reached: ModelState, held: int) -> None:
    """A load that is cut off may hold its most until its process is gone."""
    record = ModelRecord(ModelNeeds("one", {"GPU-a": Claim(7, ready_bytes=6)}))
    record.begins_to_load("GPU-a", 0.0)
    if reached is not ModelState.LOADING:
        record.enter(reached, 1.0)
    record.enter(ModelState.STOPPING, 2.0)
    assert (record.held_bytes, record.resident().held_bytes) == (held, held)
    record.enter(ModelState.WAITING, 3.0)
    record.begins_to_load("GPU-a", 4.0)
    record.enter(ModelState.READY, 5.0)
    assert record.held_bytes == 6
