"""What is refused before a model's process sees it, whoever asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.request_checks import LONGEST_TOKEN_CHARACTERS, check_length, checked


def request(*texts: str, **options: object) -> ChatRequest:
    turns = tuple(Message("user" if n % 2 == 0 else "assistant", text) for n, text in enumerate(texts))
    return ChatRequest(turns, GenerationOptions(**options))  # type: ignore[arg-type]


def test_text_is_bounded_by_the_session_over_all_turns() -> None:
    limit = 64 * LONGEST_TOKEN_CHARACTERS
    check_length(request("a" * (limit - 2), "b", "c"), 64)
    with pytest.raises(RequestError) as told:
        check_length(request("a" * (limit - 2), "b", "cd"), 64)
    assert told.value.message == (
        "The conversation has 8,193 characters; this model's session of 64 tokens holds"
        " 8,192 at the very most."
    )


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 2**64},
        {"seed": 2**63},
        {"seed": -5},
        {"seed": float("nan")},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": float("nan")},
        {"max_new_tokens": 2**70},
        {"top_k": -1},
        {"repetition_penalty": "1"},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_named(options: dict[str, object]) -> None:
    (name,) = options
    with pytest.raises(RequestError, match=f"{name} cannot be"):
        checked(request("hello", **options), 64)


def test_what_is_checked_stays_what_was_asked() -> None:
    page = Path("page.png")
    asked = ChatRequest((Message("user", "a\ud800", (page,)),), stop=("x",), one_tile=frozenset({page}))
    assert checked(asked, 64) == replace(asked, messages=(Message("user", "a\ufffd", (page,)),))


def test_a_request_that_is_well_is_left_as_it_is() -> None:
    asked = request("a", "b", "c", seed=2**63 - 1, temperature=0.5, top_k=7)
    assert checked(asked, 64) == asked


def test_halves_of_characters_and_nul_are_no_text() -> None:
    assert checked(request("a\ud800b\0"), 64) == request("a\ufffdb\ufffd")
