"""One server that speaks OpenAI's API: which models it has, and its answers as they come.

Nothing is followed to elsewhere, nothing is read beyond bounds, and a question is asked again only while none
of its answer has been said. Proxies are the environment's (``launcher.proxies``).
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
from openai.types.chat import ChatCompletionChunk

from launcher.connection_failures import what_happened
from launcher.endpoints import failures
from launcher.endpoints.events import MOST_BYTES, Endless, events
from launcher.errors import LauncherError
from launcher.presets import Endpoint
from launcher.proxies import proxy_for

CONNECT_S = 10.0
WRITE_S = 60.0
READ_S = 180.0
"""Without a byte. A server that loads a model first should send comments meanwhile, as the launcher does."""

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Before it is asked again, each time, where nothing of the answer has been said. They outlast the time in
which LMDeploy's proxy, set as docs/how-to/many-people.md says, goes on giving questions to a server that has
died: it takes that for the one with the least to do."""

MOST_PAUSE_S = 10.0
"""A server that wants to be left alone for longer is not waited for: a person decides."""

_MOST_REFUSAL_BYTES = 64 << 10
_MOST_LIST_BYTES = 4 << 20
_TRY_AGAIN = (429, 502, 503, 504)
_NO_LIST = (404, 405, 501)
"""What servers without a list of models say."""


class _Again(Exception):
    """It may do better when it is asked again."""

    def __init__(self, error: LauncherError, after_s: float = 0.0) -> None:
        super().__init__(error)
        self.error = error
        self.after_s = after_s


class Server:
    """A connection pool to one server. For one event loop.

    Raises:
        LauncherError: the key in the environment is none, or the environment's proxy cannot be used.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._base = endpoint.url.rstrip("/")
        proxy = proxy_for(httpx.URL(self._base))
        self._client = httpx.AsyncClient(
            transport=proxy.async_transport() if proxy else httpx.AsyncHTTPTransport(limits=_LIMITS),
            headers={"User-Agent": "launcher", "Accept-Encoding": "identity", **_authorization(endpoint)},
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, write=WRITE_S, pool=None),
            follow_redirects=False,
            trust_env=False,
        )

    async def models(self) -> tuple[str, ...] | None:
        """What it calls the models that it has; None where it keeps no list.

        Raises:
            LauncherError: it cannot be reached, wants another key, or has no such API.
        """
        try:
            async with self._sent("GET", "/models") as response:
                if response.status_code in _NO_LIST:
                    return None
                if response.status_code != httpx.codes.OK:
                    raise await self._refusal(response)
                body = await _start_of(response, _MOST_LIST_BYTES)
        except _Again as again:
            raise again.error from again
        return self._names(body)

    async def check_model(self) -> None:
        """Does nothing where it has the endpoint's model, or keeps no list.

        Raises:
            LauncherError: it has others; or see ``models``.
        """
        names = await self.models()
        if names is not None and self._endpoint.model not in names:
            raise failures.unknown_model(self._endpoint, names)

    async def answer(self, body: Mapping[str, Any]) -> AsyncGenerator[ChatCompletionChunk, None]:
        """Asks ``POST /chat/completions`` for a stream; yields its chunks. Closing the generator closes the
        connection, by which the server knows that nobody reads.

        Raises:
            RequestError: the server refuses the question.
            LauncherError: there is no answer, or no more of it.
        """
        for pause_s in (*PAUSES_S, math.inf):
            has_text = False
            try:
                async with aclosing(self._ask_once(body)) as chunks:
                    async for chunk in chunks:
                        has_text = has_text or any(each.delta.content for each in chunk.choices)
                        yield chunk
                return
            except _Again as again:
                wait_s = max(pause_s, again.after_s)
                if has_text or wait_s > MOST_PAUSE_S:
                    raise again.error from again
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose()

    async def _ask_once(self, body: Mapping[str, Any]) -> AsyncGenerator[ChatCompletionChunk, None]:
        is_whole = False
        async with self._sent("POST", "/chat/completions", body) as response:
            if response.status_code != httpx.codes.OK:
                raise await self._refusal(response)
            if "text/event-stream" not in response.headers.get("content-type", ""):
                said = failures.sentence_of(await _start_of(response, _MOST_REFUSAL_BYTES))
                raise failures.unreadable(self._base, said)
            async for data in events(response.aiter_raw()):
                if data == b"[DONE]":
                    return
                chunk = self._chunk(data)
                is_whole = is_whole or any(each.finish_reason for each in chunk.choices)
                yield chunk
            if not is_whole:
                raise _Again(failures.broken_off(self._base))

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The response's head, and its body to be read; whatever the connection does is told in words."""
        try:
            async with self._client.stream(method, f"{self._base}{path}", json=body) as response:
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise _Again(failures.unreachable(self._base, what_happened(error))) from error
        except httpx.TimeoutException as error:
            raise failures.silent(self._base, READ_S) from error
        except Endless as endless:
            if endless.silent_s is not None:
                raise failures.silent(self._base, endless.silent_s) from endless
            raise failures.endless(self._base, MOST_BYTES >> 20) from endless
        except httpx.TransportError as error:
            raise _Again(failures.broken_off(self._base)) from error

    def _chunk(self, data: bytes) -> ChatCompletionChunk:
        try:
            given = json.loads(data)
            if isinstance(given, dict) and "error" in given:
                raise failures.told_in_the_stream(self._base, failures.sentence_of(data))
            return ChatCompletionChunk.model_validate(given)
        except (ValueError, RecursionError) as error:
            raise failures.unreadable(self._base, data.decode("utf-8", errors="replace")) from error

    def _names(self, body: bytes) -> tuple[str, ...]:
        try:
            # LMDeploy's proxy names a model once for each of its servers that has it.
            return tuple(dict.fromkeys(str(each["id"]) for each in json.loads(body)["data"]))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise failures.unreadable(self._base, body.decode("utf-8", errors="replace")) from error

    async def _refusal(self, response: httpx.Response) -> Exception:
        """What is to be raised over a status."""
        status, body = response.status_code, await _start_of(response, _MOST_REFUSAL_BYTES)
        after_s = _retry_after_s(response)
        location = response.headers.get("location", "")
        said = failures.sentence_of(body)
        error = failures.refusal(self._endpoint, status, said, location=location, after_s=after_s)
        if status == httpx.codes.NOT_FOUND:
            return await self._unknown_or(error)
        return _Again(error, after_s or 0.0) if status in _TRY_AGAIN else error

    async def _unknown_or(self, error: LauncherError) -> Exception:
        """A 404: of the model, as far as the server's own list tells."""
        try:
            await self.check_model()
        except LauncherError as told:
            return told
        return error


_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)


async def ask_models(endpoint: Endpoint) -> tuple[str, ...] | None:
    """``Server.models`` once, over a connection of its own."""
    server = Server(endpoint)
    try:
        return await server.models()
    finally:
        await server.close()


def _authorization(endpoint: Endpoint) -> dict[str, str]:
    key = os.environ.get(endpoint.key_env, "").strip() if endpoint.key_env else ""
    if not (key.isascii() and key.isprintable()):
        raise failures.bad_key(endpoint)
    return {"Authorization": f"Bearer {key}"} if key else {}


async def _start_of(response: httpx.Response, most_bytes: int) -> bytes:
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) >= most_bytes:
            break
    return body[:most_bytes]


def _retry_after_s(response: httpx.Response) -> float | None:
    """In seconds; a date is not read."""
    written = response.headers.get("retry-after", "")
    return float(written) if written.isdecimal() and len(written) < 10 else None
