"""Where things stand on the page, in a wide and a narrow window."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.person import answers, ask, idle, ready, trouble
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser

COVERED = """() => {
    const controls = [...document.querySelectorAll("button, textarea, [role=tab]")].filter((each) => {
        const { top, bottom, left, right, width } = each.getBoundingClientRect();
        const isOnScreen = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
        const isMeant = !each.closest("[aria-hidden=true], .visually-hidden"); // copies that Gradio measures
        return width && isOnScreen && isMeant && each.checkVisibility({ visibilityProperty: true });
    });
    const isCovered = (control) => {
        const { left, top, width, height } = control.getBoundingClientRect();
        const seen = document.elementFromPoint(left + width / 2, top + height / 2);
        return !control.contains(seen) && !seen?.contains(control);
    };
    return controls.filter(isCovered).map((each) => each.ariaLabel || each.textContent);
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
@pytest.mark.parametrize(("locale", "clear"), [("en-US", "Clear"), ("zh-CN", "清空对话")])
def test_an_error_covers_nothing_that_can_be_clicked(
    page: Served, opened: Open, width: int, height: int, locale: str, clear: str
) -> None:
    browser = ready(opened(page.url, locale=locale, width=width, height=height))
    ask(browser, "first")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    ask(browser, "/fail " + "a long reason, " * 12)
    expect(trouble(browser)).to_be_in_viewport(ratio=1)
    expect(browser.locator("button.submit-button:visible")).to_be_in_viewport(ratio=1)
    assert browser.evaluate(COVERED) == []
    browser.get_by_role("button", name=clear).locator("visible=true").click()
    expect(answers(browser)).to_have_count(0)
    expect(trouble(browser)).to_have_count(0)
