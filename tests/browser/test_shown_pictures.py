"""A question's pictures as the page shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, boxes, idle, pictures_before, questions, ready, upload
from tests.documents import made
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser

NUMBER = "e => getComputedStyle(e, '::after').content"


def asked(page: Page, text: str, *pictures: Path) -> Locator:
    """Asks about pictures; the question's bubble."""
    before = answers(page).count()
    upload(page, *pictures)
    ask(page, text)
    expect(answers(page)).to_have_count(before + 1)
    idle(page)
    return questions(page).last


@pytest.mark.parametrize(("locale", "width"), [("en-US", 1280), ("zh-CN", 390)])
def test_several_pictures_are_numbered_through_the_conversation(
    page: Served, opened: Open, tmp_path: Path, locale: str, width: int
) -> None:
    browser = ready(opened(page.url, locale=locale, width=width))
    pictures = [draw(tmp_path / f"{number} <b>图.png") for number in range(3)]
    single = asked(browser, "one", pictures[0])
    expect(single.locator(".picture")).to_have_text([""])
    several = asked(browser, "three", *pictures)
    expect(several.locator(".picture")).to_have_text(["2", "3", "4"])
    expect(several.locator("img").first).to_have_attribute("alt", "0 <b>图.png")
    for picture in several.locator("img").all():
        expect(picture).to_have_js_property("naturalWidth", 320)
    upload(browser, *pictures[:2])
    thumbnails = browser.locator(".question:visible .thumbnail-wrapper")
    assert [each.evaluate(NUMBER) for each in thumbnails.all()] == ["counter(picture)"] * 2
    assert pictures_before(browser) == "4"
    thumbnails.first.locator("button").dispatch_event("click")
    expect(thumbnails).to_have_count(1)
    assert thumbnails.evaluate(NUMBER) == "none"


def test_a_kept_conversation_numbers_them_alike(page: Served, opened: Open, tmp_path: Path) -> None:
    browser = ready(opened(page.url))
    pictures = [draw(tmp_path / f"{number}.png") for number in range(4)]
    asked(browser, "two", *pictures[:2])
    asked(browser, "and two", *pictures[2:])
    browser.get_by_text("Conversations kept in this browser (1)").click()
    upload(browser, pictures[0])
    assert pictures_before(browser) == "4"
    browser.get_by_role("button", name="New conversation").click()
    expect(questions(browser)).to_have_count(0)
    assert pictures_before(browser) == "0"
    browser.locator(".shelf button.title").first.click()
    expect(questions(browser).last.locator(".picture")).to_have_text(["3", "4"])
    assert pictures_before(browser) == "4"


def test_a_documents_pages_count_on_from_the_conversation(page: Served, opened: Open, tmp_path: Path) -> None:
    browser = ready(opened(page.url))
    asked(browser, "one", draw(tmp_path / "one.png"))
    browser.locator("input[type=file]").first.set_input_files(made.pdf(tmp_path / "two.pdf", 2))
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(2)
    assert pictures_before(browser) == "1"


@pytest.mark.parametrize(("locale", "width"), [("en-US", 1280), ("zh-CN", 390)])
def test_what_an_answer_points_at_is_drawn_over_the_picture(
    page: Served, opened: Open, tmp_path: Path, locale: str, width: int
) -> None:
    browser = ready(opened(page.url, locale=locale, width=width))
    asked(browser, "<ref>the <i>star</ref><box>[[100, 250, 600, 750]]</box>", draw(tmp_path / "a.png"))
    answer = answers(browser).last
    box = answer.locator(".box")
    expect(box).to_have_text("the <i>star")
    expect(answer).to_contain_text("<box>[[100, 250, 600, 750]]</box>")  # the text stays
    expect(answer.locator("img")).to_have_js_property("naturalWidth", 320)
    place, picture = boxes(box, answer.locator("img"))
    assert place["x"] - picture["x"] == pytest.approx(0.1 * picture["width"], abs=2)
    assert place["y"] - picture["y"] == pytest.approx(0.25 * picture["height"], abs=2)
    assert place["width"] == pytest.approx(0.5 * picture["width"], abs=3)
    assert place["height"] == pytest.approx(0.5 * picture["height"], abs=3)
    asked(browser, "which? [[0, 0, 500, 500]]", draw(tmp_path / "b.png"), draw(tmp_path / "c.png"))
    expect(answers(browser).last.locator(".box")).to_have_count(0)
    browser.locator(".shelf summary:visible").click()
    browser.locator(".shelf p button:visible").first.click()
    expect(questions(browser)).to_have_count(0)
    browser.locator(".shelf button.title:visible").first.click()
    expect(answers(browser).first.locator(".box")).to_have_text("the <i>star")
