"""The built-in text model on the page: no picture box, and right answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from launcher.demo.conversations import ChatTurn, draw_conversation, right
from launcher.demo.known_answers import HELD_OUT_START
from launcher.devices import Devices
from launcher.presets import read_presets
from launcher.readiness import ReadyState, assess, installed_engines
from tests.browser.conftest import Open
from tests.browser.person import answers, ask, ready
from tests.ui.scripted_page import Served, scripted, served

pytestmark = pytest.mark.browser

CONVERSATIONS = 12
LEAST_SHARE = 0.97
"""Of right answers; the questions are always the same, so chance has no part in it."""


@pytest.fixture(scope="module")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    no_gpu = Devices(gpus=(), ram_total_bytes=2**34, ram_free_bytes=2**33)
    model = assess(read_presets().find("tiny-chat"), no_gpu, installed_engines())
    assert model.state is ReadyState.READY
    folder = tmp_path_factory.mktemp("tiny-chat")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served([model, scripted("pictures", folder)], folder) as page:
            page.manager.ensure_ready("tiny-chat")
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
