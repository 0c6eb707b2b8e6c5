"""An answer as its reader holds it: pieces arrive from a supervisor's thread and are read by a loop, an async
loop or nobody.

A reader who is slow never holds up the engine: unread pieces are joined into one, so what waits is bounded by
the answer's own length, and by UNREAD_CHARACTERS should an engine never end.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from functools import partial
from threading import Condition
from types import TracebackType
from typing import Literal

from launcher.errors import EngineError, LauncherError
from launcher.hand_over import to_this_loop
from launcher.messages import Chunk

UNREAD_CHARACTERS = 4 << 20
"""Far above the longest answer (32768 tokens): an answer that outgrows it unread is ended with an error."""


class Answer:
    """One answer, read once, by one reader: ``for chunk in answer`` or ``async for chunk in answer``.

    The last chunk has ``finish``; after `cancel` it comes at once, has finish "cancelled", all text not read
    yet and no usage. As a context manager it cancels what was left before its end.

    Raises (from iteration, after the text that came before):
        LauncherError: why there is no answer or no more of it; ``WorkerDied`` when the model's process ended.
    """

    def __init__(self, on_cancel: Callable[[], None]) -> None:
        self._on_cancel = on_cancel
        self._changed = Condition()
        self._unread: list[str] = []
        self._unread_characters = 0
        self._end: Chunk | LauncherError | None = None
        self._over = False
        self._wake_reader: Callable[[], None] | None = None
        self._wake_rester: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Ends the answer now, from any thread; does nothing when it has ended already. The engine stops
        within one token."""
        if self.finish(Chunk("", finish="cancelled")):
            self._on_cancel()

    def push(self, text: str) -> bool:
        """For the manager: adds a piece that is not the last; False when too much waits for a reader who does
        not read."""
        with self._changed:
            if self._end is None and text:
                self._unread.append(text)
                self._unread_characters += len(text)
                self._notify()
            return self._unread_characters <= UNREAD_CHARACTERS

    def finish(self, end: Chunk | LauncherError) -> bool:
        """For the manager: ends the answer with its last chunk or an error; False when it had ended
        already."""
        with self._changed:
            if self._end is not None:
                return False
            self._end = end
            self._notify()
            if self._wake_rester is not None:
                self._wake_rester()
            return True

    async def rest(self, seconds: float) -> None:
        """For its reader: lets text gather for so long, and no longer once the answer has ended or was
        cancelled."""
        with self._changed:
            if self._end is not None:
                return
            over = asyncio.Event()
            self._wake_rester = partial(to_this_loop().call, over.set)
        time_is_up = asyncio.get_running_loop().call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            time_is_up.cancel()

    def __iter__(self) -> Answer:
        return self

    def __next__(self) -> Chunk:
        with self._changed:
            while (taken := self._take()) == "nothing yet":
                self._changed.wait()
        if taken == "over":
            raise StopIteration
        return taken

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> Chunk:
        while (taken := await self._take_or_wait()) == "nothing yet":
            pass
        if taken == "over":
            raise StopAsyncIteration
        return taken

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._wake_reader is not None:
            self._wake_reader()
            self._wake_reader = None

    def _take(self) -> Chunk | Literal["nothing yet", "over"]:
        """The next chunk; the caller holds the condition."""
        if self._over:
            return "over"
        text = "".join(self._unread)
        self._unread.clear()
        self._unread_characters = 0
        if isinstance(self._end, Chunk):
            self._over = True
            return Chunk(text + self._end.text, self._end.finish, self._end.usage)
        if text:
            return Chunk(text)
        if self._end is None:
            return "nothing yet"
        self._over = True
        raise copy.copy(self._end)  # an error may be shared by several answers; each traceback stays its own

    async def _take_or_wait(self) -> Chunk | Literal["nothing yet", "over"]:
        with self._changed:
            if (taken := self._take()) != "nothing yet":
                return taken
            news = asyncio.Event()
            self._wake_reader = partial(to_this_loop().call, news.set)
        await news.wait()
        return "nothing yet"


def unread_error() -> EngineError:
    """What ends an answer that nobody reads."""
    return EngineError(
        "The answer grew beyond what is kept for a reader who does not read it.", hint="Ask again."
    )
