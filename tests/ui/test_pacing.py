from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import EngineError
from launcher.messages import Chunk
from launcher.ui.pacing import SLOWEST_INTERVAL_S, UPDATE_INTERVAL_S, next_rest_s, paced
from launcher.workers.answers import Answer

LONG_S = 3600.0


def an_answer(*pieces: str) -> Answer:
    answer = Answer(on_cancel=lambda: None)
    for piece in pieces:
        answer.push(piece)
    return answer


async def waiting(pieces: AsyncGenerator[Chunk, None]) -> asyncio.Future[Chunk]:
    """The next piece, for which the reader rests."""
    following = asyncio.ensure_future(anext(pieces))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not following.done()
    return following


async def test_the_first_piece_comes_at_once_and_the_rest_waits_its_turn() -> None:
    answer = an_answer("a")
    async with aclosing(paced(answer, LONG_S)) as pieces:
        assert await anext(pieces) == Chunk("a")
        answer.push("b")
        following = await waiting(pieces)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following


async def test_the_end_breaks_the_rest() -> None:
    answer = an_answer("a")
    async with aclosing(paced(answer, LONG_S)) as pieces:
        await anext(pieces)
        answer.push("b")
        following = await waiting(pieces)
        answer.finish(Chunk("c", "stop"))
        assert await following == Chunk("bc", "stop")
        assert [piece async for piece in pieces] == []


async def test_a_stop_breaks_the_rest() -> None:
    answer = an_answer("a")
    async with aclosing(paced(answer, LONG_S)) as pieces:
        await anext(pieces)
        following = await waiting(pieces)
        answer.cancel()
        assert (await following).finish == "cancelled"


async def test_an_answer_that_is_whole_already_is_one_piece() -> None:
    answer = an_answer("a", "b")
    answer.finish(Chunk("c", "stop"))
    assert [piece async for piece in paced(answer, LONG_S)] == [Chunk("abc", "stop")]


async def test_everything_arrives_in_order() -> None:
    answer, texts = an_answer("0"), []
    async with aclosing(paced(answer, 0)) as pieces:
        async for piece in pieces:
            texts.append(piece.text)
            if len(texts) < 5:
                answer.push(str(len(texts)))
            elif not piece.finish:
                answer.finish(Chunk("", "stop"))
    assert "".join(texts) == "01234"


async def test_a_failure_is_raised_after_the_text_before_it() -> None:
    answer = an_answer("a")
    answer.finish(EngineError("broken"))
    pieces = paced(answer, 0)
    assert await anext(pieces) == Chunk("a")
    with pytest.raises(EngineError, match="broken"):
        await anext(pieces)


@given(st.floats(-1, 10))
def test_updates_become_rarer_as_the_server_falls_behind_but_never_too_rare(late_s: float) -> None:
    rest_s = next_rest_s(late_s)
    assert UPDATE_INTERVAL_S <= rest_s <= SLOWEST_INTERVAL_S
    assert rest_s >= next_rest_s(late_s / 2)
    assert (rest_s == UPDATE_INTERVAL_S) == (late_s <= 0) or late_s < 1e-9
