"""Text on its way out of a model's process: what all answers say within a moment crosses the pipe as one
message.

A message costs both processes far more than the few letters of a token. So an answer's first piece goes at
once, and so does any piece after a pause; what follows within GATHER_S of the last message is sent together
when that time is over. Runs on the worker's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from launcher.workers.protocol import Words

GATHER_S = 0.01
"""Too short to be seen, and at 500 tokens a second long enough for five of each answer."""


class Gathering:
    """Gathers the text of all answers of one process. Of one answer nothing is lost, doubled or told out of
    order.

    Args:
        send: sends one message; called on the event loop.
        gather_s: the least time between two messages, but for first pieces and `flush`.
    """

    def __init__(self, send: Callable[[Words], None], gather_s: float = GATHER_S) -> None:
        self._send = send
        self._gather_s = gather_s
        self._held: dict[int, list[str]] = {}
        self._begun: set[int] = set()
        self._pause: asyncio.TimerHandle | None = None

    def add(self, answer_id: int, text: str) -> None:
        """Takes the next piece of an answer. It has gone when this returns, or goes within ``gather_s``."""
        if not text:
            return
        self._held.setdefault(answer_id, []).append(text)
        if self._pause is None or answer_id not in self._begun:
            self._begun.add(answer_id)
            self.flush()

    def flush(self) -> None:
        """Sends what is held of all answers; what comes next is gathered anew."""
        if not self._held:
            return
        words = Words(tuple((answer_id, "".join(pieces)) for answer_id, pieces in self._held.items()))
        self._held.clear()
        self._send(words)
        if self._pause is not None:
            self._pause.cancel()
        self._pause = asyncio.get_running_loop().call_later(self._gather_s, self._pause_is_over)

    def end(self, answer_id: int) -> None:
        """The answer is over, whichever way: all that was said goes before its end is told."""
        self.flush()
        self._begun.discard(answer_id)

    def _pause_is_over(self) -> None:
        self._pause = None
        self.flush()
