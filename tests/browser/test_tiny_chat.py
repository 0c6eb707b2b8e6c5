"""The built-in text model on the page: no picture box, and right answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from launcher.demo.conversations import ChatTurn, draw_conversation, right
from launcher.demo.known_answers import HELD_OUT_START
from tests.browser.conftest import Open
from tests.browser.person import answers, ask, ready
from tests.ui.scripted_page import Served, scripted, served_built_in

pytestmark = pytest.mark.browser

CONVERSATIONS = 12
LEAST_SHARE = 0.97
"""Of right answers; the questions are always the same, so chance has no part in it."""


@pytest.fixture(scope="module")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tiny-chat")
    with served_built_in("tiny-chat", folder, scripted("pictures", folder)) as page:
        yield page


def test_a_text_tab_has_no_picture_box(tiny_chat: Served, opened: Open) -> None:
    browser = ready(opened(tiny_chat.url))
    upload = browser.locator("[data-testid=upload-button]:visible")
    expect(upload).to_have_count(0)
    browser.get_by_role("tab", name="pictures in English").click()
    expect(upload).to_have_count(1)


def test_known_answers_on_the_page(tiny_chat: Served, opened: Open) -> None:
    browser = ready(opened(tiny_chat.url))
    said: list[tuple[ChatTurn, str]] = []
    for index in range(CONVERSATIONS):
        turns = draw_conversation(HELD_OUT_START + 80_000 + index)
        for number, turn in enumerate(turns):
            ask(browser, turn.text)
            answer = answers(browser).nth(number)
            expect(answer).to_have_text(re.compile(r"\S"))
            expect(browser.locator("button.submit-button:visible")).to_be_visible()  # it is whole
            said.append((turn, answer.inner_text()))
        browser.get_by_role("button", name="Clear").locator("visible=true").click()
        expect(answers(browser)).to_have_count(0)
    wrong = [(turn.text, answer) for turn, answer in said if not right(turn, answer)]
    assert 1 - len(wrong) / len(said) >= LEAST_SHARE, wrong
