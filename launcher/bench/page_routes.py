"""The page's own ways to its models: its API as programs use it, and what the page itself sends when a person
presses Enter."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx

from launcher.bench.lean_http import connect, no_answer
from launcher.bench.route import DATA, TOO_SOON, Heard, Watch
from launcher.bench.workload import Conversation
from launcher.messages import Message
from launcher.settings import OPTION_NAMES

_LONGEST = "max_new_tokens"
_EVENT = b"event:"


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
        watch = Watch()
        async with connect(self._url) as connection:
            event_id = (await connection.fetch("POST", self._path, {"data": data}))["event_id"]
            async with aclosing(connection.lines("GET", f"{self._path}/{event_id}")) as lines:
                return await self._read(lines, watch)

    @staticmethod
    async def _read(lines: AsyncGenerator[bytes, None], watch: Watch) -> Heard:
        kind = b""
        async for line in lines:
            if line.startswith(_EVENT):
                kind = line.removeprefix(_EVENT).strip()
            elif line.startswith(DATA):
                data = line.removeprefix(DATA).strip()
                if kind == b"error":
                    raise no_answer(data.decode())
                if kind == b"complete":
                    return watch.end(str(json.loads(data)[0]))
                watch.seen(len(data) > len(b'[""]'))
        raise no_answer(TOO_SOON)


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
        watch = Watch()
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
        raise no_answer(TOO_SOON)


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
