"""A PDF's pages and a video's frames, from the box to what the engine is asked."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, box, idle, questions, ready, trouble
from tests.browser.test_files import BRING
from tests.documents import made
from tests.ui.asked import one_tile_of
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser


def note(page: Page) -> Locator:
    return page.locator(".attached:visible")


def thumbnails(page: Page) -> Locator:
    return page.locator(".thumbnail-item:visible")


def choose(page: Page, *files: Path) -> None:
    page.locator(".question:visible input[type=file]").set_input_files([str(file) for file in files])


def was_asked(page: Page) -> str:
    """What the engine was given, by a question that asks for it."""
    before = answers(page).count()
    ask(page, "/asked")
    expect(answers(page)).to_have_count(before + 1)
    idle(page)
    return answers(page).last.locator("code").text_content() or ""


def test_a_pdf_beside_a_picture_is_told_sent_kept_and_sent_again(
    page: Served, opened: Open, tmp_path: Path
) -> None:
    browser = ready(opened(page.url))
    choose(browser, made.pdf(tmp_path / "two.pdf", 2), draw(tmp_path / "seen.png"))
    expect(thumbnails(browser)).to_have_count(3)
    expect(note(browser)).to_have_text("two.pdf: 2 of 2 pages, as pictures of one tile each")
    assert one_tile_of(was_asked(browser)) == ["two-1.png", "two-2.png"]
    expect(questions(browser).first.locator(".picture")).to_have_text(["1", "2", "3"])
    expect(note(browser)).to_have_count(0)
    browser.get_by_text("Conversations kept in this browser (1)").click()
    browser.get_by_role("button", name="New conversation").click()
    expect(questions(browser)).to_have_count(0)
    browser.locator(".shelf button.title:visible").click()
    expect(questions(browser).locator(".picture")).to_have_count(3)
    assert one_tile_of(was_asked(browser)) == ["two-1.png", "two-2.png"]


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_a_video_brought_to_a_narrow_chinese_page(
    page: Served, opened: Open, tmp_path: Path, how: str
) -> None:
    browser = ready(opened(page.url, locale="zh-CN", width=390))
    clip = made.video(tmp_path / "clip.mp4", 24)
    content = base64.b64encode(clip.read_bytes()).decode()
    browser.evaluate(BRING, [how, clip.name, "video/mp4", content])
    expect(thumbnails(browser)).to_have_count(12)
    expect(note(browser)).to_have_text("clip.mp4：共 24 帧，取 12 帧作为图片，每张占一个图块")
    thumbnails(browser).first.locator("button").dispatch_event("click")
    expect(thumbnails(browser)).to_have_count(11)
    assert len(one_tile_of(was_asked(browser))) == 11


def test_a_long_name_leaves_room_for_what_is_said_of_the_file(
    page: Served, opened: Open, tmp_path: Path
) -> None:
    browser = ready(opened(page.url, width=390))
    choose(browser, made.pdf(tmp_path / f"{'long' * 50}.pdf", 2))
    expect(note(browser)).to_have_text(
        re.compile(r"^(long){17}\w+\W*\w+\.pdf: 2 of 2 pages, as pictures of one tile each$")
    )
    assert len(note(browser).inner_text()) < 130


def test_a_question_sent_meanwhile_waits_for_the_pages(page: Served, opened: Open, tmp_path: Path) -> None:
    browser = ready(opened(page.url))
    choose(browser, made.pdf(tmp_path / "three.pdf", 3))
    expect(note(browser)).to_contain_text("three.pdf")
    ask(browser, "what do they say?")
    expect(answers(browser)).to_have_text("[three-1.png] [three-2.png] [three-3.png] what do they say?")
    idle(browser)
    expect(box(browser)).to_have_value("")
    expect(thumbnails(browser)).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "sentences"),
    [
        (
            "en-US",
            ("a.pdf is locked with a password", "b.mp4 has no picture in it", "32.0 MB, more than the 30 MB"),
        ),
        ("zh-CN", ("a.pdf 设有密码", "b.mp4 里没有画面", "32.0 MB，超过文档或视频 30 MB 的上限")),
    ],
)
def test_what_cannot_be_shown_is_told_and_the_question_stays(
    page: Served, opened: Open, tmp_path: Path, locale: str, sentences: tuple[str, ...]
) -> None:
    (tmp_path / "a.pdf").write_bytes(made.locked_pdf())
    made.sound(tmp_path / "b.mp4")
    with (tmp_path / "c.pdf").open("wb") as file:
        file.truncate(32_000_000)
    browser = ready(opened(page.url, locale=locale, may_log="400"))
    box(browser).fill("what is this")
    choose(browser, *(tmp_path / name for name in ("a.pdf", "b.mp4", "c.pdf")))
    for sentence in sentences:
        expect(trouble(browser)).to_contain_text(sentence)
    expect(note(browser)).to_have_count(0)
    expect(box(browser)).to_have_value("what is this")
    expect(thumbnails(browser)).to_have_count(0)
    box(browser).press("Enter")
    expect(answers(browser)).to_have_text(re.compile("^what is this"))


def test_a_pdf_goes_to_every_model_that_is_compared(page: Served, opened: Open, tmp_path: Path) -> None:
    browser = opened(page.url)
    browser.get_by_role("tab", name="Compare").click()
    box(browser).wait_for()
    choose(browser, made.pdf(tmp_path / "two.pdf", 2))
    expect(note(browser)).to_have_text("two.pdf: 2 of 2 pages, as pictures of one tile each")
    expect(thumbnails(browser)).to_have_count(2)
    ask(browser, "/asked")
    column = browser.locator("#column-pictures")
    expect(column.locator("[data-testid=bot]")).to_have_count(1)
    idle(browser)
    assert one_tile_of(column.locator("code").text_content() or "") == ["two-1.png", "two-2.png"]
    expect(column.locator(".picture")).to_have_text(["1", "2"])
    expect(browser.locator("#column-words .trouble")).to_contain_text("reads text alone")
