"""Questions that would break a model's process do not reach it, and what is only odd arrives whole."""

from __future__ import annotations

import json

import pytest

from launcher.errors import RequestError
from launcher.messages import ChatRequest
from tests.workers.stage import Stage, children, question, read


def test_megabytes_are_refused_before_a_process_is_started(stage: Stage) -> None:
    manager = stage.manager(stage.model("one", memory={"session_tokens": 4096}))
    with pytest.raises(RequestError, match=r"has 20,000,000 characters; .* of 4,096 tokens holds 524,288 at"):
        manager.ask("one", question("a " * 10_000_000))
    assert not children()


def test_a_loaded_model_says_how_long_its_session_is(stage: Stage) -> None:
    """Until then it is known only where the preset or a memory plan says it."""
    manager = stage.manager(stage.model("one", size_bytes=4))  # planned for 1024 tokens; it would hold more
    manager.ensure_ready("one")
    with pytest.raises(RequestError, match="of 1,024 tokens holds 131,072 at the very most"):
        manager.ask("one", question("a" * 131_073))
    assert read(manager.ask("one", question("a" * 131_072))) == "a" * 131_072 + " "


def test_the_process_itself_reads_no_more_than_its_session(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a session that the launcher knows only once the model is loaded."""
    monkeypatch.setattr("launcher.workers.offered.checked", lambda request, _tokens: request)
    manager = stage.manager(stage.model("one", memory={"session_tokens": 64}))
    with pytest.raises(RequestError, match="of 64 tokens holds 8,192 at the very most"):
        list(manager.ask("one", question("a" * 8193)))
    (process,) = children()
    assert read(manager.ask("one", question("next"))) == "next "
    assert children() == {process}


@pytest.mark.parametrize("seed", [2**64, float("nan"), "7"])
def test_a_seed_that_is_none_leaves_the_process_alone(stage: Stage, seed: object) -> None:
    manager = stage.manager()
    manager.ensure_ready("one")
    (process,) = children()
    asked = question("hello")
    object.__setattr__(asked.options, "seed", seed)
    with pytest.raises(RequestError, match="seed cannot be"):
        manager.ask("one", ChatRequest(asked.messages, asked.options))
    assert read(manager.ask("one", question("next"))) == "next "
    assert children() == {process}


ODD = {
    "control characters": "".join(map(chr, [*range(1, 32), *range(0x7F, 0xA0)])),
    "right to left": "\u202eabc\u202c \u2067אבג\u2069 \u200f\u061c",
    "marks that nobody sees": "\ufeff\u200b\u200d\u2060\u00ad\ufe0f",
    "a family": "👩‍👩‍👧‍👦🏳️‍🌈",
    "not characters": "\ufffe\uffff\U0010ffff",
    "a megabyte": "猫 " * 174_763,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_text_arrives_whole(stage: Stage, odd: str) -> None:
    said = read(stage.manager().ask("one", question(f"/asked\n{odd}", max_new_tokens=1)))
    asked = json.loads(said.partition("```json\n")[2].partition("\n```")[0])
    assert asked["messages"][-1]["text"] == f"/asked\n{odd}"
