"""The open pages: what each is told while it is seen, and that its wishes go with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from launcher.fetching.fetches import Fetches
from launcher.ui.device_picture import device_places
from launcher.ui.fetch_panel import fetch_places
from launcher.ui.status_board import StatusBoard
from launcher.ui.texts import Language
from launcher.workers.manager import Manager

COVERED_S = 600.0
"""How long a page that nobody sees, and that is heard no more of, keeps its wish: longer than any load."""


@dataclass
class Pages:
    """Which pages are seen, and which are covered. A page that is covered says so and ends its stream, as a
    browser has six connections to a server; one whose stream is cut is gone. All methods are the loop's."""

    manager: Manager
    covered_s: float = COVERED_S
    fetches: Fetches | None = None
    """The downloads that the page offers; None where it offers none."""
    _boards: dict[Language, StatusBoard] = field(default_factory=dict)
    _seen: dict[str, asyncio.Event] = field(default_factory=dict)
    """By page, what ends its stream."""
    _covered: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    async def follow(self, page: str, language: Language) -> AsyncGenerator[dict[str, str], None]:
        """Model -> status line, place -> what it shows, as HTML: all, then those that changed, until the page
        is covered."""
        if timer := self._covered.pop(page, None):
            timer.cancel()
        if page in self._seen:  # its own earlier stream, which it has given up
            self._seen[page].set()
        ended = self._seen[page] = asyncio.Event()
        board = self._boards.setdefault(language, StatusBoard(self.manager, language, self._beside))
        try:
            async with aclosing(board.changes(ended)) as changes:
                async for changed in changes:
                    yield changed
        finally:
            if self._seen.get(page) is ended:
                del self._seen[page]
                if not ended.is_set():
                    self.manager.leave(page)

    def _beside(self, language: Language) -> dict[str, str]:
        """What the page shows beside the status lines: place -> HTML."""
        names = [status.name for status in self.manager.statuses()]
        places = device_places(self.manager.device_uses(), names, language)
        return places | (fetch_places(self.fetches, language) if self.fetches else {})

    def cover(self, page: str) -> None:
        """The page is not seen; its wish stands for a while."""
        if ended := self._seen.pop(page, None):
            ended.set()
            loop = asyncio.get_running_loop()
            self._covered[page] = loop.call_later(self.covered_s, self.leave, page)

    def leave(self, page: str) -> None:
        """The page is gone, and what it wished for is withdrawn."""
        if timer := self._covered.pop(page, None):
            timer.cancel()
        if ended := self._seen.pop(page, None):
            ended.set()
        self.manager.leave(page)

    def close(self) -> None:
        """The server ends, and so does every stream."""
        for ended in self._seen.values():
            ended.set()
        for timer in self._covered.values():
            timer.cancel()
