"""The status line tells the truth for as long as it is seen, and a page that nobody sees is still a page."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, Request, expect

from launcher.workers.states import ModelState
from tests.browser.conftest import Open
from tests.browser.person import answers, ask, box, idle, ready, status
from tests.ui.scripted_page import Served
from tests.workers.stage import wait_until

pytestmark = pytest.mark.browser

STREAM = "/launcher/status"
QUIET_MS = 1500


def show(page: Page, state: str) -> None:
    """As if the browser's window were covered, or seen again."""
    page.evaluate(
        """(state) => {
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def covered(page: Page) -> None:
    with page.expect_response(lambda response: response.url.endswith("/launcher/cover")):
        show(page, "hidden")


def test_a_line_is_true_though_nobody_touches_the_page(page: Served, opened: Open) -> None:
    """For ten minutes by the browser's clock, with the cursor in the box: no timer of the page ends it."""
    browser = opened(page.url)
    browser.clock.install()
    browser.reload()
    ready(browser)
    box(browser).focus()
    browser.clock.fast_forward("10:00")
    page.manager.unload("pictures")
    expect(status(browser)).to_contain_text("Asleep")
    browser.clock.fast_forward("10:00")
    page.manager.wake("pictures")
    ready(browser)


def test_a_page_that_is_not_seen_holds_no_connection_and_shows_no_old_line(
    page: Served, opened: Open
) -> None:
    browser = ready(opened(page.url))
    requests: list[str] = []

    def heard(request: Request) -> None:
        requests.append(request.url)

    covered(browser)
    expect(status(browser)).to_have_count(0)
    browser.on("request", heard)
    page.manager.unload("pictures")
    wait_until(page.manager, lambda: page.manager.statuses()[0].state is ModelState.ASLEEP)
    browser.wait_for_timeout(QUIET_MS)
    assert not requests
    with browser.expect_request(lambda request: STREAM in request.url):
        show(browser, "visible")
    expect(status(browser)).to_contain_text("Asleep")


def test_a_page_that_has_lost_the_server_shows_no_old_line_and_follows_again(
    page: Served, opened: Open
) -> None:
    browser = opened(page.url, may_log="Failed to load resource")
    with browser.expect_request(lambda request: STREAM in request.url) as stream:
        browser.reload()
    ready(browser)
    browser.route(f"**{STREAM}*", lambda route: route.abort())
    with urlopen(stream.value.url):  # the page has one stream: the server ends the browser's
        expect(status(browser)).to_have_count(0)
    page.manager.unload("pictures")
    browser.unroute(f"**{STREAM}*")
    expect(status(browser)).to_contain_text("Asleep")


def test_what_was_wished_for_loads_though_the_page_is_covered(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    page.manager.unload("words")
    wait_until(page.manager, lambda: page.manager.statuses()[1].state is ModelState.ASLEEP)
    browser.get_by_role("tab", name="words in English").click()
    covered(browser)
    page.manager.ensure_ready("words")
    show(browser, "visible")
    ready(browser)


def test_an_answer_goes_on_while_the_page_is_covered(page: Served, opened: Open) -> None:
    gate = page.gate("covered")
    browser = ready(opened(page.url))
    ask(browser, f"begun\n/wait {gate}\nand finished")
    expect(answers(browser)).to_contain_text("begun")
    covered(browser)
    page.open(gate)
    idle(browser)
    expect(answers(browser)).to_contain_text("begun and finished")
