"""Responses that go on: begun early, alive while they are silent, closed with their readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

import pytest
from starlette.types import Message

from launcher.ui import streams
from launcher.ui.heartbeats import Heartbeats
from launcher.ui.streams import EventStream, LineStream, Stream


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


async def test_what_has_begun_has_come_to_its_first_piece_and_goes_on() -> None:
    source, said = Source(), list[bytes]()

    async def hear(message: Message) -> None:
        said.append(message.get("body", b""))
        source.speaks.set()

    stream = Stream(source.pieces(), "text/plain", b".")
    assert source.asked == 0
    await stream.begun()
    assert source.asked == 1
    await read(stream, asyncio.Event(), hear)
    assert said == [b"", b"a", b"b", b""]
    assert source.closed == 1


async def test_an_empty_first_piece_is_not_sent() -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for piece in (b"", b"a"):
            yield piece

    said: list[bytes] = []

    async def hear(message: Message) -> None:
        said.append(message.get("body", b""))

    await read(await Stream(pieces(), "text/plain", b".").begun(), asyncio.Event(), hear)
    assert said == [b"", b"a", b""]


@pytest.mark.parametrize("kind", [LineStream, EventStream])
async def test_what_has_begun_is_closed_though_its_reader_is_gone_before_anything_is_sent(
    kind: type[LineStream | EventStream],
) -> None:
    closed: list[bool] = []

    async def values() -> AsyncGenerator[dict[str, object], None]:
        try:
            yield {"question": "asked"}
        finally:
            closed.append(True)

    async def no_head(message: Message) -> None:
        raise AssertionError(f"nobody reads {message}")

    stream = await kind(values()).begun()
    assert not closed
    gone = asyncio.Event()
    gone.set()
    with suppress(AssertionError):
        await read(stream, gone, no_head)
    assert closed == [True]
