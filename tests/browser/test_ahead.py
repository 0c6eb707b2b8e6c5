"""Tabs that are built before anybody selects them: the page's script by itself, on a page that begins with a
tab without a question box."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from launcher.ui.page_script import page_script

pytestmark = pytest.mark.browser

THREE_TABS = """
    const tabs = [1, 2, 3].map((id) => ({ id, type: "tabitem", props: {} }));
    window.gradio_config = { root: "", components: tabs };
    window.asked = 0;
    window.requestIdleCallback = (work) => (asked++, setTimeout(work));
"""
BEGUN = "launcher.buildAhead((id) => document.body.append(`built ${id};`))"
"""The browser's part of Gradio: what it is told to build is said on the page."""


def test_nothing_is_asked_of_the_browser_until_there_is_a_question_box(chromium: Browser) -> None:
    page = chromium.new_page()
    page.clock.install()
    page.evaluate(f"() => {{ {THREE_TABS} }}")
    page.evaluate(f"() => {{ {page_script()} }}")
    page.evaluate(f"() => {BEGUN}")
    page.clock.run_for(60_000)
    assert page.evaluate("asked") == 0
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=box-late><textarea></textarea></p>')")
    for _ in range(3):
        page.clock.run_for(1_000)
    expect(page.locator("body")).to_contain_text("built 1;built 2;built 3;")
    asked = page.evaluate("asked")
    page.clock.run_for(60_000)
    assert page.evaluate("asked") == asked
    page.close()
