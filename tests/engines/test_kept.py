"""What is kept stays within its bound, and what was used last stays longest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.engines.kept import Kept

LIMIT = 10
steps = st.lists(st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 5), st.integers(0, 12)))


@given(steps=steps)
def test_it_keeps_what_was_used_last_within_the_bound(steps: list[tuple[str, int, int]]) -> None:
    """Against the plainest way to do it: a list, the least recently used first."""
    kept, plain = Kept[int](LIMIT), list[tuple[int, int]]()
    for step, key, size in steps:
        held = dict(plain)
        plain = [one for one in plain if one[0] != key]
        if step == "get":
            assert kept.get(key) == held.get(key)
            plain += [(key, held[key])] if key in held else []
        elif step == "drop":
            kept.drop(key)
        else:
            kept.put(key, size, size)
            plain += [(key, size)] if size <= LIMIT else []
            while sum(dict(plain).values()) > LIMIT:
                plain.pop(0)
        assert kept.items() == plain
        assert kept.held_bytes == sum(dict(plain).values()) <= LIMIT
    kept.clear()
    assert (kept.items(), kept.held_bytes) == ([], 0)
