"""HTTP/1.1 for many streams at little cost: one connection for one request after another.

httpx takes 20 % of a core to read 32 streams of 20 lines a second, as much as a good page takes to send them;
this takes 3 % (``docs/measurements.md``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from launcher.errors import EngineError

_ERROR_STATUS = 400
_MOST_SHOWN = 300


class Connection:
    """A connection to a server of ours; made by ``connect``."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host, self._reader, self._writer = host, reader, writer

    async def fetch(self, method: str, path: str, value: Any = None) -> Any:
        """Sends JSON, and returns the JSON that comes.

        Raises:
            EngineError: the server refuses, or ends the connection.
        """
        return json.loads(b"".join([piece async for piece in self._pieces(method, path, value)]))

    async def lines(self, method: str, path: str, value: Any = None) -> AsyncGenerator[bytes, None]:
        """Sends JSON, and returns lines as they come, without their ends.

        Raises:
            EngineError: the server refuses, or ends the connection.
        """
        rest = b""
        async for piece in self._pieces(method, path, value):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line
        if rest:
            yield rest

    async def _pieces(self, method: str, path: str, value: Any) -> AsyncGenerator[bytes, None]:
        try:
            self._send(method, path, value)
            status, headers = await self._head()
            if status >= _ERROR_STATUS:
                said = b"".join([piece async for piece in self._body(headers)]).decode(errors="replace")
                raise no_answer(f"{status} {said[:_MOST_SHOWN]}")
            async for piece in self._body(headers):
                yield piece
        except (asyncio.IncompleteReadError, OSError) as error:
            raise no_answer("the page ended the connection") from error

    def _send(self, method: str, path: str, value: Any) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)

    async def _head(self) -> tuple[int, dict[str, str]]:
        first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        fields = (line.partition(":") for line in rest if line)
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in fields}

    async def _body(self, headers: dict[str, str]) -> AsyncGenerator[bytes, None]:
        if "chunked" not in headers.get("transfer-encoding", ""):
            yield await self._reader.readexactly(int(headers.get("content-length", 0)))
            return
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)


@asynccontextmanager
async def connect(url: str) -> AsyncGenerator[Connection, None]:
    """A connection to ``url``, a page's address; it is closed afterwards.

    Raises:
        EngineError: nobody answers there.
    """
    place = urlsplit(url)
    try:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
    except OSError as error:
        raise no_answer(error.strerror or str(error)) from error
    try:
        yield Connection(place.netloc, reader, writer)
    finally:
        writer.close()


def no_answer(said: str) -> EngineError:
    """The page has no answer, and this is what it said instead."""
    return EngineError("The page gave no answer: {said}", hint="Measure again.", said=said)
