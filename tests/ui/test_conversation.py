from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import RequestError
from launcher.messages import GenerationOptions, Message, well_formed
from launcher.ui.conversation import Exchange, Settings, Typed, to_request

PLAIN = Settings("", GenerationOptions())
PICTURE = Path("/cache/a.png")

anything = st.text(st.one_of(st.characters(), st.sampled_from("\0\ud83e\udd8a\udfff<&*_`$|\\")))
"""Texts as JSON and browsers can send them: with halves of characters too."""


@given(st.lists(st.tuples(anything, anything), max_size=4), anything, st.booleans())
def test_an_engine_is_told_what_was_typed_and_answered(
    turns: list[tuple[str, str]], question: str, picture: bool
) -> None:
    pictures = (PICTURE,) if picture else ()
    history = [Exchange(Typed(typed, pictures), answer) for typed, answer in turns]
    expected: list[Message] = []
    for typed, answer in turns:
        expected += [
            Message("user", well_formed(typed), pictures),
            Message("assistant", well_formed(answer)),
        ]
    request = to_request(history, Typed(question), PLAIN)
    assert list(request.messages) == [*expected, Message("user", well_formed(question))]
    json.dumps([message.text for message in request.messages], ensure_ascii=False).encode()


def test_the_system_prompt_comes_first_unless_blank() -> None:
    options = GenerationOptions(temperature=0.5)
    request = to_request([], Typed("q"), Settings("Be brief.", options))
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.options is options
    assert [message.role for message in to_request([], Typed("q"), Settings("  ", options)).messages] == [
        "user"
    ]


def test_pages_of_documents_are_told_apart_in_every_turn() -> None:
    page, frame = Path("/cache/page.png"), Path("/cache/frame.jpg")
    history = [Exchange(Typed("q", (PICTURE, page), frozenset({page})), "a")]
    request = to_request(history, Typed("q", (frame,), frozenset({frame})), PLAIN)
    assert request.one_tile == {page, frame}


def test_settings_that_cannot_be_used_are_told_when_they_are_to_be_used() -> None:
    refusal = RequestError("no")
    with pytest.raises(RequestError) as raised:
        to_request([], Typed("q"), Settings("", GenerationOptions(), refusal))
    assert raised.value is refusal
