from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from launcher.messages import Chunk
from launcher.ui.pacing import paced

LONG_S = 3600.0


class Tap:
    """A source that gives what it is handed, joined, and says when it is asked."""

    def __init__(self) -> None:
        self.unread: list[Chunk | Exception] = []
        self.news = asyncio.Event()
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    def put(self, *things: Chunk | Exception) -> None:
        self.unread += things
        self.news.set()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        self.asked.set()
        try:
            while not self.unread:
                self.news.clear()
                await self.news.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        thing = self.unread.pop(0)
        if isinstance(thing, Exception):
            raise thing
        return thing


async def test_the_first_piece_comes_at_once_and_the_rest_waits_its_turn() -> None:
    tap = Tap()
    tap.put(Chunk("a"))
    async with aclosing(paced(tap, interval_s=LONG_S)) as pieces:
        assert await anext(pieces) == Chunk("a")
        tap.put(Chunk("b"))
        tap.asked.clear()
        following = asyncio.ensure_future(anext(pieces))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not following.done()
        assert not tap.asked.is_set()
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following


async def test_the_last_piece_ends_it_without_a_rest() -> None:
    tap = Tap()
    tap.put(Chunk("a", "stop"), StopAsyncIteration())
    assert [piece async for piece in paced(tap, interval_s=LONG_S)] == [Chunk("a", "stop")]


async def test_everything_arrives_in_order() -> None:
    tap = Tap()
    tap.put(*(Chunk(str(number)) for number in range(5)), Chunk("", "stop"), StopAsyncIteration())
    pieces = [piece async for piece in paced(tap, interval_s=0)]
    assert "".join(piece.text for piece in pieces) == "01234"


async def test_a_failure_is_raised() -> None:
    tap = Tap()
    tap.put(Chunk("a"), ValueError("broken"))
    pieces = paced(tap, interval_s=0)
    assert await anext(pieces) == Chunk("a")
    with pytest.raises(ValueError, match="broken"):
        await anext(pieces)


async def test_cancelling_stops_waiting_for_the_next_piece() -> None:
    tap = Tap()
    following = asyncio.ensure_future(anext(paced(tap)))
    await tap.asked.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    await tap.cancelled.wait()
