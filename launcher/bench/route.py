"""A way to a page's models: what asks, and what is noted of an answer.

None does more with what comes than to see when the first text is there, and to keep the end: so a client
costs the machine little beside the page.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from launcher.bench.figures import Timing
from launcher.bench.workload import Conversation

API, BROWSER, OPENAI = "api", "browser", "openai"
DATA = b"data:"
"""How a line of an event stream begins that carries something."""
TOO_SOON = "the stream ended before the answer"


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


class Watch:
    """Times one answer, from now on."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._first_s = 0.0

    def seen(self, is_text: bool) -> None:
        """Something came."""
        if is_text and not self._first_s:
            self._first_s = time.monotonic() - self._begun_s

    def end(self, text: str, tokens: int | None = None) -> Heard:
        """The answer has ended."""
        end_s = time.monotonic() - self._begun_s
        return Heard(Timing(self._first_s or end_s, end_s), text, tokens)
