"""Text on its way out of a worker: gathered, and all of it told, in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from launcher.workers.gathering import Gathering
from launcher.workers.protocol import Words

NEVER_S = 3600.0
answers = st.integers(1, 3)
texts = st.text("ab", max_size=2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), answers, texts),
        st.tuples(st.just("end"), answers, st.just("")),
        st.tuples(st.just("turn"), st.just(0), st.just("")),
    ),
    max_size=40,
)


class Pipe:
    """What was sent, message by message."""

    def __init__(self) -> None:
        self.messages: list[Words] = []

    def said(self) -> dict[int, str]:
        told: dict[int, str] = defaultdict(str)
        for message in self.messages:
            for answer_id, text in message.pieces:
                told[answer_id] += text
        return told


@given(steps=steps, gather_s=st.sampled_from([0.0, NEVER_S]))
def test_nothing_is_lost_doubled_or_told_out_of_order(
    steps: list[tuple[str, int, str]], gather_s: float
) -> None:
    asyncio.run(play(steps, gather_s))


async def play(steps: list[tuple[str, int, str]], gather_s: float) -> None:
    pipe, added, begun = Pipe(), defaultdict[int, str](str), set[int]()
    gathering = Gathering(pipe.messages.append, gather_s)
    for step, answer_id, text in steps:
        if step == "turn":
            await asyncio.sleep(0)
        elif step == "end":
            gathering.end(answer_id)
            begun.discard(answer_id)
            assert pipe.said() == {one: told for one, told in added.items() if told}
        else:
            gathering.add(answer_id, text)
            added[answer_id] += text
            if text and answer_id not in begun:
                begun.add(answer_id)
                assert pipe.said()[answer_id] == added[answer_id], "a first piece goes at once"
        told = pipe.said()
        assert all(added[one].startswith(told[one]) for one in added)
    for message in pipe.messages:
        assert message.pieces
        assert len(dict(message.pieces)) == len(message.pieces)
    gathering.flush()
    assert pipe.said() == {one: told for one, told in added.items() if told}


async def test_what_follows_at_once_is_one_message() -> None:
    pipe = Pipe()
    gathering = Gathering(pipe.messages.append, NEVER_S)
    for letter in "abcdef":
        gathering.add(1, letter)
        gathering.add(2, letter.upper())
    assert [message.pieces for message in pipe.messages] == [((1, "a"),), ((2, "A"),)]
    gathering.end(2)
    assert [message.pieces for message in pipe.messages[2:]] == [((1, "bcdef"), (2, "BCDEF"))]


async def test_what_was_gathered_goes_by_itself() -> None:
    gone: asyncio.Queue[Words] = asyncio.Queue()
    gathering = Gathering(gone.put_nowait)
    for letter in "abc":
        gathering.add(1, letter)
    assert (await gone.get()).pieces == ((1, "a"),)
    assert (await gone.get()).pieces == ((1, "bc"),)


async def test_after_a_pause_a_piece_goes_at_once() -> None:
    pipe = Pipe()
    gathering = Gathering(pipe.messages.append, gather_s=0.0)
    gathering.add(1, "first")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gathering.add(1, "second")
    assert pipe.said() == {1: "firstsecond"}
