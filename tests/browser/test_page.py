"""The page as a person uses it, with models that play scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import Open, draw
from tests.browser.person import (
    answers,
    ask,
    box,
    cost,
    idle,
    questions,
    ready,
    slow_network,
    status,
    stop,
    trouble,
    upload,
)
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser


def test_a_picture_and_a_question_get_a_streamed_answer(page: Served, opened: Open, tmp_path: Path) -> None:
    gate = page.gate("streamed")
    browser = ready(opened(page.url))
    upload(browser, draw(tmp_path / "one.png"), draw(tmp_path / "two.png"))
    box(browser).fill(f"the first words\n/wait {gate}\nthe rest")
    box(browser).press("Enter")
    expect(answers(browser)).to_have_text(re.compile(r"^\[one.png\] \[two.png\] the first words\s*$"))
    expect(box(browser)).to_have_value("")
    page.open(gate)
    expect(answers(browser)).to_contain_text("the first words the rest")
    expect(questions(browser).locator("img")).to_have_count(2)
    expect(cost(browser)).to_contain_text("5 tokens in")


def test_over_a_slow_network_a_picture_goes_up_an_answer_comes_and_a_stop_is_heard(
    page: Served, opened: Open, tmp_path: Path
) -> None:
    browser = ready(opened(page.url))
    slow_network(browser)
    Image.effect_noise((300, 300), 90).save(tmp_path / "noise.png")  # 90 kB, two seconds
    upload(browser, tmp_path / "noise.png")
    ask(browser, "seen")
    expect(answers(browser)).to_contain_text("[noise.png] seen")
    idle(browser)
    ask(browser, "/endless")
    expect(answers(browser).last).to_contain_text("0 1 2 3")
    stop(browser)
    idle(browser)
    ask(browser, "once more")
    expect(answers(browser).last).to_contain_text("once more")


def test_shift_enter_makes_a_line(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    box(browser).fill("one")
    box(browser).press("Shift+Enter")
    box(browser).type("two")
    expect(box(browser)).to_have_value("one\ntwo")
    expect(questions(browser)).to_have_count(0)


def test_a_pasted_picture(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    box(browser).click()
    browser.evaluate(
        """async () => { const canvas = new OffscreenCanvas(40, 30); canvas.getContext('2d').fillRect(0,
            0, 40, 30); const file = new File([await canvas.convertToBlob({type: 'image/png'})], 'pasted.png',
            {type: 'image/png'}); const data = new DataTransfer(); data.items.add(file); const paste = new
            ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
            document.activeElement.dispatchEvent(paste);
        }"""
    )
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(1)
    ask(browser, "seen")
    expect(answers(browser)).to_contain_text("[pasted.png] seen")


def test_a_long_pasted_text_stays_text(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    box(browser).click()
    browser.evaluate("navigator.clipboard.writeText('word '.repeat(2000))")
    box(browser).press("Control+V")
    expect(box(browser)).to_have_value("word " * 2000)


def test_stop_keeps_what_was_said_and_frees_the_model(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    ask(browser, "/endless")
    expect(answers(browser)).to_contain_text("0 1 2 3")
    box(browser).fill("typed meanwhile")
    stop(browser)
    expect(browser.locator("button.submit-button:visible")).to_be_visible()
    expect(box(browser)).to_have_value("typed meanwhile")
    expect(answers(browser)).to_contain_text("0 1 2 3")
    ask(browser, "second turn")
    expect(answers(browser).last).to_contain_text("second turn")
    expect(answers(browser)).to_have_count(2)


def test_a_question_stopped_before_its_answer_goes_back_to_the_box(page: Served, opened: Open) -> None:
    gate = page.gate("never")
    browser = ready(opened(page.url))
    ask(browser, f"/wait {gate}")
    expect(questions(browser)).to_have_count(1)
    stop(browser)
    expect(box(browser)).to_have_value(f"/wait {gate}")
    expect(questions(browser)).to_have_count(0)
    page.open(gate)


def test_clear_empties_the_chat_even_while_it_answers(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    ask(browser, "/endless")
    expect(answers(browser)).to_contain_text("0 1 2 3")
    browser.get_by_role("button", name="Clear").click()
    expect(answers(browser)).to_have_count(0)
    ask(browser, "fresh")
    expect(answers(browser)).to_have_text(re.compile("^fresh"))
    expect(questions(browser)).to_have_count(1)


def test_a_question_asked_during_an_answer_waits_for_it(page: Served, opened: Open) -> None:
    gate = page.gate("busy")
    browser = ready(opened(page.url))
    ask(browser, f"first\n/wait {gate}\nend of the first")
    expect(answers(browser)).to_contain_text("first")
    ask(browser, "second")
    expect(questions(browser)).to_have_count(1)
    page.open(gate)
    expect(answers(browser).nth(0)).to_contain_text("end of the first")
    expect(answers(browser).nth(1)).to_contain_text("second")
    expect(box(browser)).to_have_value("")


def test_retry_and_undo(page: Served, opened: Open) -> None:
    question = f"/wait {page.gate('twice')}\nsome words"
    browser = ready(opened(page.url))
    ask(browser, question)
    page.open("twice")
    expect(cost(browser)).to_contain_text("2 tokens")
    browser.get_by_role("button", name="Retry").click()
    page.open("twice")
    expect(cost(browser)).to_contain_text("2 tokens")
    expect(answers(browser)).to_have_count(1)
    browser.get_by_role("button", name="Undo").click()
    expect(box(browser)).to_have_value(question)
    expect(questions(browser)).to_have_count(0)


def test_an_example_is_asked_with_a_click(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    browser.get_by_role("button", name=re.compile("An example")).click()
    expect(answers(browser)).to_contain_text("[example.png] An example")


def test_an_example_that_is_clicked_while_the_server_is_away_waits_in_the_box(
    page: Served, opened: Open
) -> None:
    browser = ready(opened(page.url, may_log="Failed to load resource"))
    box(browser).fill("my own")
    browser.context.set_offline(True)
    browser.get_by_role("button", name=re.compile("An example")).click()
    expect(trouble(browser)).to_contain_text("The connection to the server was lost.")
    expect(box(browser)).to_have_value("An example\nmy own")
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(1)
    browser.context.set_offline(False)
    box(browser).press("Enter")
    expect(answers(browser)).to_contain_text("[example.png] An example my own")
    expect(trouble(browser)).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "message"),
    [
        ("en-US", "The script failed: broken <b>\nAsk something else."),
        ("zh-CN", "脚本失败：broken <b>\n请问别的。"),
    ],
)
def test_a_failure_is_told_once_and_the_question_kept(
    page: Served, opened: Open, tmp_path: Path, locale: str, message: str
) -> None:
    browser = ready(opened(page.url, locale=locale))
    upload(browser, draw(tmp_path / "kept.png"))
    ask(browser, "/fail broken <b>")
    expect(trouble(browser)).to_have_text(message, use_inner_text=True)
    expect(box(browser)).to_have_value("/fail broken <b>")
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(1)
    expect(questions(browser)).to_have_count(0)
    ask(browser, "works again")
    expect(answers(browser)).to_contain_text("[kept.png] works again")
    expect(trouble(browser)).to_have_count(0)


def test_the_models_death_is_told_and_the_next_question_works(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    ask(browser, "/kill")
    expect(trouble(browser)).to_have_count(1)
    expect(box(browser)).to_have_value("/kill")
    ask(browser, "works again")
    expect(answers(browser)).to_contain_text("works again")


def test_what_is_typed_or_answered_is_never_obeyed(page: Served, opened: Open) -> None:
    text = (
        "<img src=x onerror=alert(1)> <b>b</b> [x](javascript:alert(1))"
        " ![y](http://elsewhere.invalid/y.png) $$1$$"
    )
    browser = opened(page.url)
    dialogs: list[str] = []
    browser.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    ask(ready(browser), text)
    expect(answers(browser)).to_contain_text("<img src=x onerror=alert(1)>")
    expect(questions(browser)).to_contain_text(text)
    expect(browser.locator("[role=log] img:visible")).to_have_count(0)
    expect(browser.locator("[role=log] a[href^=javascript]")).to_have_count(0)
    expect(browser.locator("[role=log] a:visible").get_by_text("x", exact=True)).to_have_count(0)
    assert not dialogs


def test_tabs_wake_their_models(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    browser.get_by_role("tab", name="words in English").click()
    ready(browser)
    expect(browser.get_by_test_id("upload-button").locator("visible=true")).to_have_count(0)
    ask(browser, "/name")
    expect(answers(browser)).to_contain_text("words")
    browser.get_by_role("tab", name="pictures in English").click()
    expect(answers(browser)).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "unload", "asleep"), [("en-US", "Unload", "Asleep"), ("zh-CN", "卸载", "休眠")]
)
def test_an_unloaded_model_is_seen_asleep_on_every_page(
    page: Served, opened: Open, locale: str, unload: str, asleep: str
) -> None:
    mine, other = ready(opened(page.url, locale=locale)), ready(opened(page.url))
    mine.get_by_role("button", name=unload).locator("visible=true").click()
    expect(status(mine)).to_contain_text(asleep)
    expect(status(other)).to_contain_text("Asleep")
    expect(mine.get_by_role("button", name=unload).locator("visible=true")).to_have_count(0)
    ask(other, "/name")
    expect(answers(other)).to_contain_text("pictures")
    ready(mine)


@pytest.mark.parametrize(
    ("locale", "tab", "text"),
    [
        ("en-US", "missing in English", "There is no file ${HOME}'s"),
        ("zh-CN", "missing 中文", "没有文件 ${HOME}'s"),
    ],
)
def test_a_model_that_cannot_run_says_what_to_type(
    page: Served, opened: Open, locale: str, tab: str, text: str
) -> None:
    browser = opened(page.url, locale=locale)
    browser.get_by_role("tab", name=tab).click()
    notice = browser.locator(".missing:visible")
    expect(notice).to_contain_text(text)
    expect(notice.locator("code")).to_have_text("hf download x")


def test_a_wrong_preset_file_is_told(page: Served, opened: Open) -> None:
    expect(opened(page.url).locator(".note")).to_contain_text("wrong.yaml:3: engine: 'fast' is not an engine")


@pytest.mark.parametrize("locale", ["zh-CN", "zh-TW"])
def test_the_page_in_chinese(page: Served, opened: Open, locale: str) -> None:
    browser = ready(opened(page.url, locale=locale))
    expect(browser.get_by_role("tab", name="pictures 中文")).to_be_visible()
    expect(box(browser)).to_have_attribute("placeholder", re.compile("按回车发送"))
    expect(status(browser)).to_contain_text("就绪")
    expect(browser.get_by_text("高级设置").locator("visible=true")).to_be_visible()
    browser.get_by_role("button", name=re.compile("一个例子")).click()
    expect(answers(browser)).to_contain_text("一个例子")


def test_two_people_at_once(page: Served, opened: Open) -> None:
    gate = page.gate("first")
    first, second = ready(opened(page.url)), ready(opened(page.url))
    ask(first, f"waiting\n/wait {gate}\ndone")
    expect(answers(first)).to_contain_text("waiting")
    ask(second, "meanwhile")
    expect(answers(second)).to_contain_text("meanwhile")
    page.open(gate)
    expect(answers(first)).to_contain_text("waiting done")


@pytest.mark.parametrize("script", ["0 1 2 3\n/endless", "0 1 2 3\n/stall", "/stall"])
def test_a_closed_page_frees_the_model(page: Served, opened: Open, script: str) -> None:
    """Also where the model is silent, and nothing would be sent to a page that is there."""
    browser = ready(opened(page.url))
    ask(browser, script)
    if script.startswith("0"):
        expect(answers(browser)).to_contain_text("0 1 2 3")
    else:
        expect(questions(browser)).to_have_count(1)
    browser.close()
    version = 0
    while page.manager._open:
        version = page.manager.wait_for_change(version, timeout_s=20)
