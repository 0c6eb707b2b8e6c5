"""A page, and a program, as the server sees them: the routes that a browser uses, spoken by hand."""

from __future__ import annotations

import itertools
import json
import random
import string
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

TIMEOUT_S = 120.0


class Turn(NamedTuple):
    """A question of the conversation so far, and its answer."""

    question: str
    answer: str


class Refused(Exception):
    """The server said why there is no answer."""


class PageRoute:
    """How a page asks: one request, whose answer is a JSON object a line."""

    def __init__(self, client: httpx.Client, page: str) -> None:
        self._client = client
        self._page = page
        self._numbers = itertools.count(1)

    @contextmanager
    def asked(
        self, tab: str, text: str, pictures: Sequence[str] = (), history: Sequence[Turn] = ()
    ) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
        """The turn's number, and its updates as they come. Leaving the block early closes the connection."""
        number = next(self._numbers)
        body = {
            "tab": tab,
            "page": self._page,
            "turn": number,
            "question": {"text": text, "pictures": list(pictures)},
            "history": [{"question": {"text": turn.question}, "answer": turn.answer} for turn in history],
        }
        with self._client.stream("POST", "/launcher/ask", json=body) as answer:
            if answer.status_code != httpx.codes.OK:
                raise Refused(answer.read().decode())
            yield number, (json.loads(line) for line in answer.iter_lines())

    def stop(self, tab: str, number: int) -> None:
        body = {"tab": tab, "page": self._page, "turn": number}
        self._client.post("/launcher/stop", json=body).raise_for_status()


class Page:
    """One open page. Closing it is what a browser does: it says so, and its streams are cut."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)
        self.name = "".join(random.choices(string.ascii_letters, k=20))
        self.route = PageRoute(self.client, self.name)

    def open(self) -> None:
        """Loads the page, and begins to follow its status lines."""
        self.client.get("/").raise_for_status()
        self.client.get("/config").raise_for_status()
        with self.client.stream("GET", "/launcher/status", params={"page": self.name}) as lines:
            next(line for line in lines.iter_lines() if line.startswith("data:"))

    def show(self, tab: str) -> None:
        self._post("show", tab=tab)

    def unload(self, tab: str) -> None:
        self._post("unload", tab=tab)

    def answer(self, tab: str, text: str, pictures: Sequence[str] = (), history: Sequence[Turn] = ()) -> str:
        """The whole answer.

        Raises:
            Refused: there is none; the sentence why.
        """
        with self.route.asked(tab, text, pictures, history) as (_, updates):
            *_, last = updates
        if "answer" not in last:
            raise Refused(last.get("trouble", ""))
        return str(last["answer"])

    def upload(self, content: bytes, name: str = "a.png") -> str:
        """The path that the server gives it."""
        answer = self.client.post("/gradio_api/upload", files={"files": (name, content)})
        if answer.status_code != httpx.codes.OK:
            raise Refused(answer.text)
        return str(answer.json()[0])

    def close(self) -> None:
        self._post("leave")
        self.client.close()

    def _post(self, route: str, **values: str) -> None:
        self.client.post(f"/launcher/{route}", json={"page": self.name, **values}).raise_for_status()


def program_answer(page: Page, tab: str, text: str) -> str:
    """The answer by Gradio's API, as a program asks: begun with one request, read with another."""
    began = page.client.post(f"/gradio_api/call/v2/chat_{tab}", json={"message": {"text": text}})
    event = began.raise_for_status().json()["event_id"]
    said = ""
    with page.client.stream("GET", f"/gradio_api/call/v2/chat_{tab}/{event}") as lines:
        kind = ""
        for line in lines.iter_lines():
            if line.startswith("event:"):
                kind = line.partition(":")[2].strip()
            elif line.startswith("data:") and kind in ("complete", "generating"):
                said = str(json.loads(line.partition(":")[2])[0])
            elif line.startswith("data:") and kind == "error":
                raise Refused(line)
    return said
