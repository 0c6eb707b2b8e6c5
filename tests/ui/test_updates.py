from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.ui.updates import grown


def in_javascript(text: str) -> list[bytes]:
    units = text.encode("utf-16-le", "surrogatepass")
    return [units[at : at + 2] for at in range(0, len(units), 2)]


@given(*[st.text(st.sampled_from("ab<p>🦊星"), max_size=12)] * 2)
def test_what_stays_and_what_is_new_make_what_is_shown_now(before: str, now: str) -> None:
    update = grown(before, now)
    kept = in_javascript(before)[: update["keep"]]
    assert [*kept, *in_javascript(update["add"])] == in_javascript(now)


@given(st.text(), st.text())
def test_what_was_shown_already_is_not_sent_again(before: str, more: str) -> None:
    assert grown(before, before + more)["add"] == more
