"""The page for everybody: what axe finds, the keyboard alone, an input method, a phone's width. In English
and Chinese, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.axe import found
from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, box, idle, questions, ready, trouble, upload
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser

LOCALES = pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
ADVANCED = {"en-US": "Advanced", "zh-CN": "高级"}


@LOCALES
def test_axe_has_nothing_serious_against_what_is_ours(
    page: Served, opened: Open, tmp_path: Path, locale: str
) -> None:
    browser = ready(opened(page.url, locale=locale))
    assert found(browser) == []
    upload(browser, draw(tmp_path / "p.png"))
    ask(browser, "some **words** and `code`")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    ask(browser, "/fail as it should")
    expect(trouble(browser)).to_be_visible()
    browser.get_by_role("button", name=ADVANCED[locale]).locator("visible=true").click()
    browser.locator(".shelf:visible summary").click()
    expect(browser.locator(".shelf:visible li")).to_have_count(1)
    assert found(browser) == []
    for name in ("missing", "Compare" if locale == "en-US" else "对比"):
        browser.get_by_role("tab", name=name).click()
        assert found(browser) == []


def test_axe_would_see_a_fault_of_ours(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    browser.evaluate("document.querySelector('.head').append(document.createElement('button'))")
    assert any("button-name" in fault for fault in found(browser))


FOCUSED = """() => {
    const { role, ariaLabel, title, textContent, placeholder, tagName } = document.activeElement;
    return role === "tab" ? "tab" : ariaLabel || title || textContent.trim() || placeholder || tagName;
}"""


def passed(page: Page, key: str, until: str) -> list[str]:
    """What has the focus, from key press to key press, until this has it."""
    names: list[str] = []
    while not names or not names[-1].startswith(until):
        assert len(names) < 30, names
        page.keyboard.press(key)
        names.append(page.evaluate(FOCUSED))
    return names


def test_the_keyboard_alone(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    box(browser).focus()
    browser.keyboard.type("by keyboard")
    browser.keyboard.press("Enter")
    expect(answers(browser)).to_have_text(["by keyboard"])
    idle(browser)
    expect(box(browser)).to_be_focused()  # the next question follows at once
    ahead = passed(browser, "Tab", "Conversations kept")
    assert [name.split(" ")[0] for name in ahead] == ["Submit", "Advanced", "Conversations"]
    box(browser).focus()
    back = passed(browser, "Shift+Tab", "tab")
    wanted = ["Upload a file", "Undo", "Retry", "Copy message", "Ask other models this"]
    assert back[: len(wanted)] == wanted
    assert "Clear" in back
    browser.keyboard.press("Shift+Tab")
    browser.keyboard.press("Shift+Tab")  # from Compare over the missing model's to the second
    browser.keyboard.press("Enter")
    expect(browser.get_by_role("tab", selected=True)).to_have_text("words in English")
    browser.keyboard.press("Tab")
    passed(browser, "Tab", "Type a question")
    browser.keyboard.type("in the second tab")
    browser.keyboard.press("Tab")
    browser.keyboard.press("Space")  # on Submit
    expect(answers(browser)).to_have_text(["in the second tab"])


class InputMethod:
    """Composes text in whatever has the focus, as an input method does. An Enter while it composes is a key
    press of the page's, too, but types nothing: browsers mark it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        page.evaluate("addEventListener('keydown', (event) => (window.lastKey = event), true)")

    def compose(self, letters: str) -> None:
        end = {"selectionStart": len(letters), "selectionEnd": len(letters)}
        self._session.send("Input.imeSetComposition", {"text": letters, **end})

    def end_by_enter(self, text: str) -> None:
        """The text takes the letters' place."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self._session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
        assert self._page.evaluate("[lastKey.key, lastKey.isComposing]") == ["Enter", True]
        self._session.send("Input.insertText", {"text": text})
        self._session.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})


def test_an_enter_that_ends_a_composition_sends_nothing(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url, locale="zh-CN"))
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/launcher/ask"):
            asked.append(request.post_data_json["question"]["text"])

    browser.on("request", note)
    method = InputMethod(browser)
    box(browser).focus()
    method.compose("ni'hao")
    method.end_by_enter("你好")
    expect(box(browser)).to_have_value("你好")
    method.compose("shi'jie")
    method.end_by_enter("世界")
    expect(box(browser)).to_have_value("你好世界")
    browser.keyboard.press("Enter")
    expect(questions(browser)).to_have_count(1)
    expect(answers(browser)).to_have_text(["你好世界"])
    assert asked == ["你好世界"]


def test_an_enter_that_ends_a_composition_does_not_rename(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url, locale="zh-CN"))
    ask(browser, "first")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    shelf = browser.locator(".shelf:visible")
    shelf.locator("summary").click()
    shelf.locator("li button").nth(1).click()
    expect(shelf.locator("li input")).to_be_focused()  # the shelf is read first
    method = InputMethod(browser)
    method.compose("ming'zi")
    method.end_by_enter("名字")
    expect(shelf.locator("li input")).to_have_value("名字")  # still being written
    as_safari_has_it = {"key": "Enter", "keyCode": 229, "isComposing": False, "bubbles": True}
    shelf.locator("li input").dispatch_event("keydown", as_safari_has_it)
    browser.keyboard.press("Escape")
    shelf.locator("li button").nth(1).click()
    expect(shelf.locator("li input")).to_have_value("first")
    browser.keyboard.type("名字")
    browser.keyboard.press("Enter")
    expect(shelf.locator("li .title")).to_have_text("名字")


@LOCALES
def test_a_phone_scrolls_down_and_never_sideways(
    page: Served, opened: Open, tmp_path: Path, locale: str
) -> None:
    browser = ready(opened(page.url, locale=locale, width=390, height=844))
    upload(browser, draw(tmp_path / "p.png"))
    ask(browser, "a" * 300 + "\n" + "word " * 60)
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    browser.get_by_role("button", name=ADVANCED[locale]).locator("visible=true").click()
    browser.locator(".shelf:visible summary").click()
    tabs = browser.get_by_role("tab")  # those that have room; Gradio's menu has the others
    for number in range(tabs.count()):
        tabs.nth(number).click()
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), number
