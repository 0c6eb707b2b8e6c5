"""Settings from any value that JSON can hold, and from any text that can be typed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import RequestError
from launcher.messages import GenerationOptions
from launcher.settings import OPTION_NAMES, read_options, read_typed_option, shown
from launcher.ui.texts import say_error

DEFAULTS = GenerationOptions(300, 0.5, 0.9, 40, 1.1, seed=3)
RANGES: dict[str, tuple[float, float]] = {
    "max_new_tokens": (1, 32768),
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_k": (0, 1_000_000),
    "repetition_penalty": (0.5, 2),
    "seed": (-1, 2**63 - 1),
}
WHOLE = ("max_new_tokens", "top_k", "seed")
EDGES = st.sampled_from(
    [0, -1, 1, 0.5, 2, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400, -(10**400), 1e308, -0.0, 5e-324]
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | EDGES
    | st.text(st.one_of(st.characters(), st.sampled_from("0123456789.-{}\ud800\0")), max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


def is_valid(name: str, value: Any) -> bool:
    """The ranges, put down a second time."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = RANGES[name]
    if name in WHOLE and value != value // 1:
        return False
    return low <= value <= high and not (name == "top_p" and value == 0)


@given(st.sampled_from(OPTION_NAMES), ANY_JSON)
def test_any_json_value_is_an_option_or_a_clear_refusal(name: str, value: Any) -> None:
    try:
        options = read_options({name: value}, DEFAULTS)
    except RequestError as error:
        assert value is not None
        assert not is_valid(name, value)
        for language in ("en", "zh"):
            what, hint = say_error(error, language)  # type: ignore[arg-type]
            (what + hint).encode()
            assert name in what
            assert shown(value) in what
            assert str(RANGES[name][1]) in hint
    else:
        if value is None:
            assert options == DEFAULTS
            return
        assert is_valid(name, value)
        expected = None if (name, value) == ("seed", -1) else value
        assert options == replace(DEFAULTS, **{name: expected})
        assert isinstance(getattr(options, name), type(getattr(DEFAULTS, name)) | None)  # type: ignore[operator]


@given(st.sampled_from(OPTION_NAMES), st.floats() | st.integers() | EDGES)
def test_typed_numbers_mean_what_numbers_mean(name: str, value: float) -> None:
    if isinstance(value, int) and abs(value) > 10**300:  # Python does not write these
        value = 2**70
    try:
        given_as_number: object = read_options({name: value}, DEFAULTS)
    except RequestError:
        given_as_number = RequestError
    try:
        typed: object = read_typed_option(name, repr(value), DEFAULTS)
    except RequestError:
        typed = RequestError
    if isinstance(value, float) and name in WHOLE and "e" in repr(value):
        assert typed is RequestError  # "1e3" is no whole number where people type
    else:
        assert typed == given_as_number


@given(
    st.sampled_from(OPTION_NAMES), st.text(st.one_of(st.characters(), st.sampled_from("0159.-e_ \ud800\0")))
)
def test_any_typed_text_is_an_option_or_a_refusal(name: str, typed: str) -> None:
    try:
        read_typed_option(name, typed, DEFAULTS)
    except RequestError as error:
        str(error).encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", True, [], {}])
@pytest.mark.parametrize("name", OPTION_NAMES)
def test_what_is_no_number_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(RequestError, match=f"{name} cannot be"):
        read_options({name: value}, DEFAULTS)


def test_values_are_shown_short_and_on_one_line() -> None:
    assert shown("a\n b\0") == "a b\ufffd"
    assert shown("") == '""'
    assert shown(float("nan")) == "NaN"
    assert shown({"a": [1, None]}) == '{"a": [1, null]}'
    assert len(shown("x" * 1000)) == 40
