"""Text that can be encoded, whatever came in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.messages import Message, system_turn, well_formed

HALVES = "\ud83e\udd8a\ud800\udfff\0"


@given(st.text(st.one_of(st.characters(), st.sampled_from(HALVES))))
def test_well_formed_text_can_be_encoded_and_stays_what_it_is(text: str) -> None:
    formed = well_formed(text)
    formed.encode()
    assert "\0" not in formed
    assert well_formed(formed) == formed


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_text_that_is_well_formed_is_left_alone(text: str) -> None:
    assert well_formed(text) == text


@pytest.mark.parametrize(
    ("text", "formed"),
    [
        ("\ud83e\udd8a", "🦊"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("a\0b", "a\ufffdb"),
        ("\udcff", "\ufffd"),
    ],
)
def test_halves_are_put_together_or_marked(text: str, formed: str) -> None:
    assert well_formed(text) == formed


def test_a_blank_system_prompt_is_none() -> None:
    assert system_turn(" \n") == ()
    assert system_turn(" a\ud800") == (Message("system", " a\ufffd"),)
