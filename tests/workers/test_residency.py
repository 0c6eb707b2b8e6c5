"""Who leaves the device: enough, no more than needed, idle before busy, least recently used first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.workers.residency import Resident, fits, to_release

residents_of_any_kind = st.lists(
    st.builds(
        Resident,
        name=st.uuids().map(str),
        needs_bytes=st.integers(1, 10),
        idle=st.booleans(),
        used_s=st.floats(0, 100),
        leaving=st.booleans(),
    ),
    max_size=6,
)


def stay(residents: list[Resident], released: tuple[str, ...]) -> list[Resident]:
    return [resident for resident in residents if not resident.leaving and resident.name not in released]


@given(st.integers(1, 15), st.integers(1, 20), residents_of_any_kind)
def test_what_is_released_is_enough_and_each_is_needed(wanted: int, budget: int, residents: list[Resident]) -> None:
    released = to_release(wanted, budget, residents)
    assert fits(wanted, budget, stay(residents, released))
    for name in released:
        others = tuple(other for other in released if other != name)
        assert not fits(wanted, budget, stay(residents, others))


@given(st.integers(1, 15), st.integers(1, 20), residents_of_any_kind)
def test_a_busy_model_leaves_only_where_all_idle_ones_would_not_do(wanted: int, budget: int, residents: list[Resident]) -> None:
    busy = {resident.name for resident in residents if not resident.idle and not resident.leaving}
    released = to_release(wanted, budget, residents)
    if busy & set(released):
        assert not fits(wanted, budget, [resident for resident in residents if resident.name in busy])


def test_the_least_recently_used_goes_first() -> None:
    old, recent = Resident("old", 4, idle=True, used_s=1), Resident("recent", 4, idle=True, used_s=2)
    assert to_release(4, 8, [recent, old]) == ("old",)
    assert to_release(8, 8, [recent, old]) == ("old", "recent")


def test_nobody_leaves_needlessly_when_one_large_model_is_enough() -> None:
    small, large = Resident("small", 1, idle=True, used_s=1), Resident("large", 7, idle=True, used_s=2)
    assert to_release(7, 8, [small, large]) == ("large",)


def test_memory_that_is_coming_back_already_is_counted() -> None:
    leaving, idle = Resident("leaving", 4, idle=True, used_s=2, leaving=True), Resident("idle", 4, idle=True, used_s=1)
    assert to_release(4, 8, [leaving, idle]) == ()
    assert not fits(4, 8, [leaving, idle])


def test_a_model_beyond_the_budget_may_try_alone() -> None:
    assert fits(9, 8, [])
    assert to_release(9, 8, [Resident("small", 1, idle=True, used_s=1)]) == ("small",)
