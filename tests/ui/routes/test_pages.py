"""Which pages are open: seen, covered or gone, and what becomes of their wishes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.ui.routes.pages import Pages
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.ui.scripted_page import scripted


class Told(Manager):
    """A manager that keeps whom it is told to be gone."""

    def leave(self, page: str) -> None:
        gone.append(page)
        super().leave(page)


gone: list[str] = []


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    gone.clear()
    with Told(runnable_models([scripted("one", tmp_path)]), log_folder=tmp_path / "logs") as manager:
        yield manager


async def test_a_page_whose_stream_is_cut_is_gone(manager: Manager) -> None:
    stream = Pages(manager).follow("me", "en")
    assert "one" in await anext(stream)
    await stream.aclose()
    assert gone == ["me"]


async def test_a_covered_page_keeps_its_wish_and_comes_back(manager: Manager) -> None:
    pages = Pages(manager, covered_s=3600)
    stream = pages.follow("me", "en")
    await anext(stream)
    pages.cover("me")
    assert [lines async for lines in stream] == []
    again = pages.follow("me", "en")
    assert "one" in await anext(again)
    assert not gone
    assert not pages._covered
    await again.aclose()
    assert gone == ["me"]


async def test_a_covered_page_that_never_comes_back_is_gone_after_a_while(manager: Manager) -> None:
    pages = Pages(manager, covered_s=0)
    stream = pages.follow("me", "en")
    await anext(stream)
    pages.cover("me")
    while not gone:
        await asyncio.sleep(0)
    assert gone == ["me"]
    assert not pages._covered


async def test_a_page_that_follows_anew_gives_its_earlier_stream_up(manager: Manager) -> None:
    """A browser that lost its connection comes back before the server has noticed."""
    pages = Pages(manager)
    first, second = pages.follow("me", "en"), pages.follow("me", "en")
    await anext(first)
    await anext(second)
    assert [lines async for lines in first] == []
    assert not gone
    pages.leave("me")
    assert [lines async for lines in second] == []
    assert gone == ["me"]


async def test_the_server_ends_all_streams(manager: Manager) -> None:
    pages = Pages(manager)
    streams = [pages.follow(name, "en") for name in ("one", "two")]
    for stream in streams:
        await anext(stream)
    pages.close()
    for stream in streams:
        assert [lines async for lines in stream] == []
