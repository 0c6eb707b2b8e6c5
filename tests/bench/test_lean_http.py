"""HTTP as the people of a measurement read it, from a server that sends known bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from launcher.bench.lean_http import connect
from launcher.errors import EngineError
from tests.free_port import free_port

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


@asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[str]:
    """The address of a server that answers the requests of a connection one after the other, then ends it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            await reader.readexactly(length)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_lines_are_whole_however_they_are_cut() -> None:
    answer = CHUNKED + chunks(b"one\ntw", b"o", b"\n\nthree\n", b"the rest") + b"0\r\n\r\n"
    async with server(answer) as url, connect(url) as connection:
        assert [line async for line in connection.lines("GET", "/")] == [
            b"one",
            b"two",
            b"",
            b"three",
            b"the rest",
        ]


async def test_one_connection_serves_one_request_after_the_other() -> None:
    first = CHUNKED + chunks(b'{"a": ', b"1}") + b"0\r\n\r\n"
    second = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[2]"
    async with server(first, second) as url, connect(url) as connection:
        assert await connection.fetch("POST", "/", {"asked": "ü"}) == {"a": 1}
        assert await connection.fetch("GET", "/") == [2]


async def test_a_refusal_is_told_with_what_the_server_says() -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nwhy\xc3\xbc"
    async with server(answer) as url, connect(url) as connection:
        with pytest.raises(EngineError, match="The page gave no answer: 400 whyü"):
            await connection.fetch("GET", "/")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", CHUNKED, CHUNKED + b"9\r\nhalf"])
async def test_a_connection_that_is_cut_is_told(answer: bytes) -> None:
    async with server(answer) as url, connect(url) as connection:
        with pytest.raises(EngineError, match="the page ended the connection"):
            await connection.fetch("GET", "/")


async def test_nobody_there() -> None:
    with pytest.raises(EngineError, match="The page gave no answer"):
        async with connect(f"http://127.0.0.1:{free_port()}"):
            pass
