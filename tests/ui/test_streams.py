"""Responses that go on: begun early, alive while they are silent, closed with their readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from starlette.types import Message

from launcher.ui import streams
from launcher.ui.heartbeats import Heartbeats
from launcher.ui.streams import Stream, begun


class Source:
    """Two pieces, the second when it is let."""

    def __init__(self) -> None:
        self.asked, self.closed, self.speaks = 0, 0, asyncio.Event()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        self.asked += 1
        try:
            yield b"a"
            await self.speaks.wait()
            yield b"b"
        finally:
            self.closed += 1


async def read(stream: Stream, gone: asyncio.Event, heard: Callable[[Message], Awaitable[None]]) -> None:
    """Has the stream served, to a reader who goes away when told to."""

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, heard)


async def test_a_silent_stream_has_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.001)
    source, said = Source(), list[Message]()

    async def hear(message: Message) -> None:
        said.append(message)
        if len(said) == 5:
            source.speaks.set()

    await read(Stream(source.pieces(), "text/plain", b"."), asyncio.Event(), hear)
    assert [message["type"] for message in said] == ["http.response.start"] + ["http.response.body"] * (
        len(said) - 1
    )
    bodies = [message["body"] for message in said[1:]]
    assert bodies[:4] == [b"a", b".", b".", b"."]
    assert b"".join(bodies).replace(b".", b"") == b"ab"
    assert bodies[-1] == b""
    assert not said[-1]["more_body"]
    assert source.closed == 1


async def test_a_reader_who_goes_closes_the_source() -> None:
    source, gone = Source(), asyncio.Event()

    async def hear(message: Message) -> None:
        if message.get("body") == b"a":
            gone.set()

    await asyncio.wait_for(read(Stream(source.pieces(), "text/plain", b"."), gone, hear), 10)
    assert source.closed == 1


async def test_no_heartbeat_follows_the_end() -> None:
    """Nor one that was waiting for a slow reader when the end was sent."""
    said, reads = list[Message](), asyncio.Event()

    async def slowly(message: Message) -> None:
        said.append(message)
        await reads.wait()

    heartbeats = Heartbeats(slowly, b".", 0.001)
    head = asyncio.create_task(heartbeats.send({"type": "http.response.start"}))
    while len(said) < 2:
        await asyncio.sleep(0.001)
    end = asyncio.create_task(
        heartbeats.send({"type": "http.response.body", "body": b"", "more_body": False})
    )
    reads.set()
    await asyncio.gather(head, end)
    told = len(said)
    await asyncio.sleep(0.05)
    assert len(said) == told
    assert said[-1]["more_body"] is False
    heartbeats.stop()


async def test_what_has_begun_has_come_to_its_first_value_and_goes_on() -> None:
    source = Source()
    pieces = source.pieces()
    assert source.asked == 0
    whole = await begun(pieces)
    assert source.asked == 1
    source.speaks.set()
    assert [piece async for piece in whole] == [b"a", b"b"]
    assert source.closed == 1


async def test_an_empty_first_value_is_not_told() -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for piece in (b"", b"a", b""):
            yield piece

    assert [piece async for piece in await begun(pieces())] == [b"a", b""]


async def test_what_has_begun_is_closed_with_who_reads_it() -> None:
    source = Source()
    whole = await begun(source.pieces())
    assert await anext(whole) == b"a"
    await whole.aclose()
    assert source.closed == 1
