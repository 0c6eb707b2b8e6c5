"""The ways to a page's models: its API as programs use it, what the page itself sends when a person presses
Enter, and OpenAI's API, which another server may speak as well.

None of them does more with what comes than to see when the first text is there, and to keep the end: so a
client costs the machine little beside the page.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from launcher.bench.figures import Timing
from launcher.bench.lean_http import connect, no_answer
from launcher.bench.workload import Conversation
from launcher.engines.openai_form import to_body
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.settings import OPTION_NAMES

API, BROWSER, OPENAI = "api", "browser", "openai"

_LONGEST = "max_new_tokens"
_EVENT, _DATA = b"event:", b"data:"
_TOO_SOON = "the stream ended before the answer"


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer as it came: when, its whole text, and its tokens where the server counts them."""

    timing: Timing
    text: str
    tokens: int | None = None


class Route(Protocol):
    """One way to ask."""

    async def open_pages(self, count: int) -> None:
        """As many people have the page open."""
        ...

    async def ask(self, person: int, conversation: Conversation, tokens: int) -> Heard:
        """One person's question, answered with ``tokens`` tokens at most.

        Raises:
            EngineError: the page has no answer; the message says why.
        """
        ...

    def close(self) -> None:
        """Closes the open pages."""
        ...


class _Watch:
    """Times one answer, from now on."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._first_s = 0.0

    def seen(self, is_text: bool) -> None:
        if is_text and not self._first_s:
            self._first_s = time.monotonic() - self._begun_s

    def end(self, text: str, tokens: int | None = None) -> Heard:
        end_s = time.monotonic() - self._begun_s
        return Heard(Timing(self._first_s or end_s, end_s), text, tokens)


class ApiRoute:
    """A tab's endpoint for programs; it takes one question, without a conversation."""

    def __init__(self, url: str, api_name: str) -> None:
        self._url, self._path = url, f"/gradio_api/call/{api_name}"

    async def open_pages(self, count: int) -> None:
        """A program opens no page."""

    def close(self) -> None:
        """There is nothing to close."""

    async def ask(self, person: int, conversation: Conversation, tokens: int) -> Heard:
        """Asks, and reads the stream of the event."""
        del person  # programs are nobody's page
        question = conversation[-1]
        files = [{"path": str(path), "meta": {"_type": "gradio.FileData"}} for path in question.pictures]
        options = [tokens if name == _LONGEST else None for name in OPTION_NAMES]
        data = [{"text": question.text, "files": files}, None, *options]
        watch = _Watch()
        async with connect(self._url) as connection:
            event_id = (await connection.fetch("POST", self._path, {"data": data}))["event_id"]
            async with aclosing(connection.lines("GET", f"{self._path}/{event_id}")) as lines:
                return await self._read(lines, watch)

    @staticmethod
    async def _read(lines: AsyncGenerator[bytes, None], watch: _Watch) -> Heard:
        kind = b""
        async for line in lines:
            if line.startswith(_EVENT):
                kind = line.removeprefix(_EVENT).strip()
            elif line.startswith(_DATA):
                data = line.removeprefix(_DATA).strip()
                if kind == b"error":
                    raise no_answer(data.decode())
                if kind == b"complete":
                    return watch.end(str(json.loads(data)[0]))
                watch.seen(len(data) > len(b'[""]'))
        raise no_answer(_TOO_SOON)


class BrowserRoute:
    """What the page's script sends; each person has the page open, and follows its status lines."""

    def __init__(self, url: str, tab: str) -> None:
        self._url, self._tab = url, tab
        self._pages: list[str] = []
        self._following: list[asyncio.Task[None]] = []
        self._turns = itertools.count(1)

    async def open_pages(self, count: int) -> None:
        """Opens what is missing, and waits until each has its first line."""
        await asyncio.gather(*(self._open() for _ in range(count - len(self._pages))))

    async def _open(self) -> None:
        page, is_followed = secrets.token_hex(8), asyncio.Event()
        following = asyncio.create_task(self._follow(page, is_followed))
        first_line = asyncio.create_task(is_followed.wait())
        await asyncio.wait([following, first_line], return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            first_line.cancel()
            following.result()  # raises why the page is not followed
        self._pages.append(page)
        self._following.append(following)

    def close(self) -> None:
        """Closes the open pages, as a person does."""
        for task in self._following:
            task.cancel()

    async def _follow(self, page: str, is_followed: asyncio.Event) -> None:
        async with (
            connect(self._url) as connection,
            aclosing(connection.lines("GET", f"/launcher/status?page={page}")) as lines,
        ):
            async for _ in lines:
                is_followed.set()
        raise no_answer("an open page's status lines ended")

    async def ask(self, person: int, conversation: Conversation, tokens: int) -> Heard:
        """Asks with the whole conversation, and reads the lines that come."""
        history = zip(conversation[:-1:2], conversation[1:-1:2], strict=True)
        body = {
            "tab": self._tab,
            "page": self._pages[person],
            "turn": next(self._turns),
            "question": _typed(conversation[-1]),
            "history": [{"question": _typed(asked), "answer": said.text} for asked, said in history],
            "settings": {_LONGEST: tokens},
        }
        watch = _Watch()
        async with (
            connect(self._url) as connection,
            aclosing(connection.lines("POST", "/launcher/ask", body)) as lines,
        ):
            async for line in lines:
                if not line:  # a heartbeat
                    continue
                update = json.loads(line)
                if "trouble" in update:
                    raise no_answer(update["trouble"])
                if "answer" in update:
                    return watch.end(update["answer"])
                watch.seen(bool(update.get("add")))
        raise no_answer(_TOO_SOON)


class OpenaiRoute:
    """The streamed chat of a server that speaks OpenAI's API.

    Args:
        url: where its API begins, as http://127.0.0.1:6006/v1.
        model: its name there.
        options: how every answer is drawn, but for its longest.
    """

    def __init__(self, url: str, model: str, options: GenerationOptions) -> None:
        self._url, self._path = url, _path(url, "chat/completions")
        self._model, self._options = model, options

    async def open_pages(self, count: int) -> None:
        """A program opens no page."""

    def close(self) -> None:
        """There is nothing to close."""

    async def ask(self, person: int, conversation: Conversation, tokens: int) -> Heard:
        """Asks with the whole conversation, and reads the events that come."""
        del person  # programs are nobody's page
        request = ChatRequest(conversation, replace(self._options, max_new_tokens=tokens))
        body = to_body(self._model, request, (), _as_url)
        watch = _Watch()
        async with (
            connect(self._url) as connection,
            aclosing(connection.lines("POST", self._path, body)) as lines,
        ):
            return await self._read(lines, watch)

    @staticmethod
    async def _read(lines: AsyncGenerator[bytes, None], watch: _Watch) -> Heard:
        pieces: list[str] = []
        tokens = None
        async for line in lines:
            if not line.startswith(_DATA):  # a comment, which keeps the connection
                continue
            data = line.removeprefix(_DATA).strip()
            if data == b"[DONE]":
                return watch.end("".join(pieces), tokens)
            event = json.loads(data)
            if "error" in event:
                raise no_answer(event["error"]["message"])
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
            pieces += [choice["delta"].get("content") or "" for choice in event["choices"]]
            watch.seen(bool(pieces and pieces[-1]))
        raise no_answer(_TOO_SOON)


async def first_model(url: str) -> str:
    """The name of the first model of a server whose OpenAI API begins at ``url``.

    Raises:
        EngineError: nobody answers there, or it has none.
    """
    async with connect(url) as connection:
        models = (await connection.fetch("GET", _path(url, "models")))["data"]
    if not models:
        raise no_answer("it serves no model")
    return str(models[0]["id"])


def _path(url: str, route: str) -> str:
    """Of one route of an API that begins at ``url``."""
    return f"{urlsplit(url).path.rstrip('/')}/{route}"


@cache
def _as_url(picture: Path) -> str:
    """The file as it is."""
    kind = picture.suffix.lower().removeprefix(".").replace("jpg", "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


async def upload(url: str, files: Sequence[Path]) -> list[Path]:
    """Where the page keeps pictures that were uploaded to it, in order.

    Raises:
        EngineError: it refuses one.
    """
    if not files:
        return []
    parts = [("files", (path.name, path.read_bytes())) for path in files]
    async with httpx.AsyncClient(trust_env=False, timeout=None) as http:
        answer = await http.post(f"{url}/gradio_api/upload", files=parts)
    if answer.is_error:
        raise no_answer(f"{answer.status_code} {answer.text}")
    return [Path(path) for path in answer.json()]


def _typed(message: Message) -> dict[str, Any]:
    return {"text": message.text, "pictures": [str(path) for path in message.pictures]}
