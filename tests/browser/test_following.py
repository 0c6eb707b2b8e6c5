"""The status line tells the truth for as long as it is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from launcher.engines.scripted import ALLOWED_BY
from launcher.ui.watching import watch
from tests.browser.conftest import Open
from tests.browser.person import answers, ask, box, ready, status
from tests.ui.scripted_page import Served, scripted, served

pytestmark = pytest.mark.browser

QUIET_LIMIT_S = 1.0
STREAM = "/queue/data"
ENDS = 3
"""How often the watch has ended before anything is looked at."""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page whose watch ends after a second without a change."""
    folder = tmp_path_factory.mktemp("hasty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ALLOWED_BY, "1")
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        patch.setattr("launcher.ui.app.watch", partial(watch, quiet_limit_s=QUIET_LIMIT_S))
        with served([scripted("one", folder), scripted("two", folder, kind="text")], folder) as page:
            yield page


def show(page: Page, state: str) -> None:
    """As if the browser's window were covered, or seen again."""
    page.evaluate(
        """(state) => {
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def test_a_line_is_true_though_nobody_touches_the_page(hasty: Served, opened: Open) -> None:
    browser = ready(opened(hasty.url))
    box(browser).focus()
    for _ in range(ENDS):
        with browser.expect_request(re.compile(STREAM)):
            pass
    hasty.manager.unload("one")
    expect(status(browser)).to_contain_text("Asleep")
    hasty.manager.wake("one")
    ready(browser)


def test_a_page_that_is_not_seen_holds_no_connection_and_shows_no_old_line(
    hasty: Served, opened: Open
) -> None:
    browser = opened(hasty.url)
    hasty.manager.wake("one")
    ready(browser)
    show(browser, "hidden")
    expect(status(browser)).to_have_count(0)
    streams: list[str] = []
    browser.on("request", lambda request: streams.append(request.url) if STREAM in request.url else None)
    hasty.manager.unload("one")
    hasty.manager.wait_for_change(0, timeout_s=20)
    browser.wait_for_timeout(2000 * QUIET_LIMIT_S)
    assert not streams
    show(browser, "visible")
    expect(status(browser)).to_contain_text("Asleep")


def test_a_question_is_answered_while_the_watch_ends_and_begins(hasty: Served, opened: Open) -> None:
    browser = ready(opened(hasty.url))
    for number in range(8):
        ask(browser, f"question {number}")
        expect(answers(browser)).to_have_count(number + 1)
        browser.wait_for_timeout(250 * QUIET_LIMIT_S)
