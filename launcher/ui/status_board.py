"""The status lines of all models, and what is shown beside them, in one language, made once for however many
pages read them.

A page that nothing happens to costs one waiting coroutine: no thread, and no request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Literal

from launcher.ui import status_line
from launcher.ui.texts import Language
from launcher.workers.manager import Manager

LOOK_AFTER_S = 0.1
"""A change: others come with it. The lines of all open pages are not to be written while the questions that
change them, of 32 people at one moment, are still to be asked."""

REST_S = 0.4
"""After a look: many questions change something many times a second, and a reader sees no more than this."""

_LONG_S = 3600.0


def _nothing(_: Language) -> dict[str, str]:
    return {}


class StatusBoard:
    """Follows the models while anybody reads. All methods are one loop's.

    Args:
        manager: whose models and changes are followed.
        language: of the lines.
        beside: what else there is to show: place -> HTML. It changes only when the manager tells of a change.
    """

    def __init__(
        self, manager: Manager, language: Language, beside: Callable[[Language], dict[str, str]] = _nothing
    ) -> None:
        self._manager, self._language, self._beside = manager, language, beside
        self._lines: dict[str, str] = {}
        self._bare: dict[str, str] = {}
        self._news = asyncio.Event()
        self._readers = 0
        self._following: asyncio.Task[None] | None = None

    async def changes(self, ended: asyncio.Event) -> AsyncGenerator[dict[str, str], None]:
        """Model -> status line, place -> what it shows, as HTML: all at first, then those that changed; ends
        once ``ended`` is set."""
        self._begin_reading()
        end = asyncio.create_task(ended.wait())
        try:
            read: dict[str, str] = {}
            while not ended.is_set():
                lines, bare, news = self._lines, self._bare, self._news
                yield {name: line for name, line in lines.items() if read.get(name) != bare[name]}
                read = bare
                await _any_of(news, end)
        finally:
            end.cancel()
            self._end_reading()

    def _begin_reading(self) -> None:
        self._readers += 1
        self._look()  # a new reader begins to count where the seconds are now
        if self._following is None:
            self._following = asyncio.ensure_future(self._follow())

    def _end_reading(self) -> None:
        self._readers -= 1
        if not self._readers and self._following:
            self._following.cancel()
            self._following = None

    async def _follow(self) -> None:
        version = -1
        while True:
            version = await self._manager.changed(version, _LONG_S)
            await asyncio.sleep(LOOK_AFTER_S)
            self._look()
            await asyncio.sleep(REST_S)

    def _look(self) -> None:
        """Lines of which only the seconds differ are no news: pages count by themselves."""
        statuses, uses = self._manager.statuses(), self._manager.device_uses()
        lines = {status.name: status_line.render(status, self._language, uses) for status in statuses}
        self._lines = lines | self._beside(self._language)
        known = self._bare
        self._bare = {name: status_line.without_seconds(line) for name, line in self._lines.items()}
        if self._bare != known:
            self._news.set()
            self._news = asyncio.Event()


async def _any_of(news: asyncio.Event, end: asyncio.Task[Literal[True]]) -> None:
    """Waits for either."""
    coming = asyncio.create_task(news.wait())
    try:
        await asyncio.wait([coming, end], return_when=asyncio.FIRST_COMPLETED)
    finally:
        coming.cancel()
