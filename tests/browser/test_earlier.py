"""An earlier question is taken up again: changed and gone on from, or asked of other models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, box, idle, pictures_before, questions, ready, stop, upload
from tests.ui.scripted_page import Served, scripted, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served([scripted("one", folder), scripted("two", folder)], folder) as page:
            yield page


@pytest.fixture
def chat(two: Served, opened: Open) -> Page:
    return ready(opened(two.url))


def button(page: Page, name: str, at: int) -> Locator:
    return page.get_by_role("button", name=name).locator("visible=true").nth(at)


def talk(page: Page, *texts: str) -> None:
    before = answers(page).count()
    for number, text in enumerate(texts, 1):
        ask(page, text)
        expect(answers(page)).to_have_count(before + number)
        idle(page)


def test_a_changed_question_goes_on_from_there_and_the_old_conversation_is_kept(chat: Page) -> None:
    talk(chat, "first", "second", "third")
    button(chat, "Change this question", 1).click()
    expect(questions(chat)).to_have_count(1)
    expect(box(chat)).to_have_value("second")
    expect(box(chat)).to_be_focused()
    talk(chat, "/asked")
    told = answers(chat).last.locator("code").text_content() or ""
    assert "first" in told
    assert "second" not in told
    chat.get_by_text("Conversations kept in this browser (2)").click()
    chat.locator(".shelf button.title").nth(1).click()
    expect(questions(chat)).to_have_count(3)
    button(chat, "Change this question", 2).click()
    expect(box(chat)).to_have_value("third")
    expect(questions(chat)).to_have_count(2)


def test_its_pictures_come_back_too_and_what_is_typed_stays(chat: Page, tmp_path: Path) -> None:
    upload(chat, draw(tmp_path / "seen.png"))
    talk(chat, "what is it?")
    box(chat).fill("typed")
    button(chat, "Change this question", 0).click()
    expect(chat.locator(".thumbnail-item:visible")).to_have_count(1)
    expect(box(chat)).to_have_value("what is it?\ntyped")
    expect(questions(chat)).to_have_count(0)


def test_nothing_is_taken_up_while_an_answer_comes(chat: Page) -> None:
    talk(chat, "first")
    ask(chat, "/endless")
    expect(answers(chat).last).to_contain_text("0 1 2 3")
    change = questions(chat).first.locator("button.amend")
    expect(change).to_be_hidden()
    change.dispatch_event("click")
    stop(chat)
    idle(chat)
    expect(answers(chat)).to_have_count(2)
    expect(box(chat)).to_have_value("")


def test_other_models_are_asked_the_same_after_the_same_conversation(chat: Page, tmp_path: Path) -> None:
    upload(chat, draw(tmp_path / "seen.png"))
    talk(chat, "what is it?", "/asked")
    button(chat, "Ask other models this", 1).click()
    expect(box(chat)).to_have_value("/asked")
    expect(box(chat)).to_be_focused()
    for name in ("one", "two"):
        expect(chat.locator(f"#column-{name} [data-testid=bot]")).to_have_count(1)
    assert pictures_before(chat) == "1"
    box(chat).press("Enter")
    for name in ("one", "two"):
        told = chat.locator(f"#column-{name} [data-testid=bot]").last.locator("code")
        expect(told).to_contain_text("what is it?")
        expect(told).to_contain_text("seen.png")
    idle(chat)
    chat.get_by_role("tab", name=re.compile("^one")).click()
    expect(answers(chat)).to_have_count(2)  # the conversation itself stays where it was


def test_a_question_is_carried_with_its_pictures(chat: Page, tmp_path: Path) -> None:
    upload(chat, draw(tmp_path / "seen.png"))
    talk(chat, "what is it?")
    button(chat, "Ask other models this", 0).click()
    expect(box(chat)).to_have_value("what is it?")
    expect(chat.locator(".thumbnail-item:visible")).to_have_count(1)
    expect(chat.locator("#column-one [data-testid=bot]")).to_have_count(0)
    assert pictures_before(chat) == "0"
    box(chat).press("Enter")
    expect(chat.locator("#column-two [data-testid=bot]")).to_contain_text("[seen.png] what is it?")
    idle(chat)
    expect(chat.locator("#column-one .cost")).to_have_count(1)
    assert pictures_before(chat) == "1"
    chat.locator("#column-one").get_by_role("button", name="Clear").click()
    expect(chat.locator("#column-one .cost")).to_have_count(0)  # what our script clears
    assert pictures_before(chat) == "1"  # the other column's
    chat.locator("#choice-two input").uncheck()
    expect(chat.locator("#column-two")).to_be_hidden()
    assert pictures_before(chat) == "0"


def test_a_chinese_reader_and_a_keyboard(two: Served, opened: Open) -> None:
    page = ready(opened(two.url, locale="zh-CN", width=390))
    expect(page.locator(".talk:visible")).to_have_text("针对一张图片提问。")  # there is no example
    talk(page, "first")
    button(page, "修改这个问题", 0).press("Enter")
    expect(box(page)).to_have_value("first")
    expect(questions(page)).to_have_count(0)
