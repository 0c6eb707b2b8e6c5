"""The way by OpenAI's API, the page's or another server's."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from launcher.bench.lean_http import connect, no_answer
from launcher.bench.route import DATA, TOO_SOON, Heard, Watch
from launcher.bench.workload import Conversation
from launcher.engines.openai_form import to_body
from launcher.messages import ChatRequest, GenerationOptions


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
        watch = Watch()
        async with (
            connect(self._url) as connection,
            aclosing(connection.lines("POST", self._path, body)) as lines,
        ):
            return await self._read(lines, watch)

    @staticmethod
    async def _read(lines: AsyncGenerator[bytes, None], watch: Watch) -> Heard:
        pieces: list[str] = []
        tokens = None
        async for line in lines:
            if not line.startswith(DATA):  # a comment, which keeps the connection
                continue
            data = line.removeprefix(DATA).strip()
            if data == b"[DONE]":
                return watch.end("".join(pieces), tokens)
            event = json.loads(data)
            if "error" in event:
                raise no_answer(event["error"]["message"])
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
            pieces += [choice["delta"].get("content") or "" for choice in event["choices"]]
            watch.seen(bool(pieces and pieces[-1]))
        raise no_answer(TOO_SOON)


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
