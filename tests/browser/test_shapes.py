"""The built-in model on the page: the answers are right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, cost, ready, upload
from tests.documents.made import pdf
from tests.ui.scripted_page import Served, served_built_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_built_in("shapes-internvl2", tmp_path_factory.mktemp("shapes")) as page:
        yield page


@pytest.mark.parametrize(
    ("locale", "turns"),
    [
        ("en-US", [("What colour is the circle?", "Red."), ("How many shapes are there?", "Two.")]),
        ("zh-CN", [("正方形是什么颜色？", "蓝色。"), ("图中有几个形状？", "两个。")]),
    ],
)
def test_questions_about_a_picture(
    shapes: Served, opened: Open, tmp_path: Path, locale: str, turns: list[tuple[str, str]]
) -> None:
    browser = ready(opened(shapes.url, locale=locale))
    upload(browser, draw(tmp_path / "shapes.png"))
    for number, (question, answer) in enumerate(turns):
        ask(browser, question)
        expect(answers(browser).nth(number)).to_have_text(
            re.compile(rf"^\s*{re.escape(answer)}\s*$"), timeout=30_000
        )


@pytest.mark.parametrize(
    ("locale", "width", "note", "page_seen", "picture_seen"),
    [
        (
            "en-US",
            1280,
            "128 tokens",
            "seen as one tile of 224 × 224: 64 tokens",
            "seen as 3 tiles of 224 × 224 and a",
        ),
        (
            "zh-CN",
            390,
            "128 个 token",
            "一个 224 × 224 的图块：64 个 token",
            "3 个 224 × 224 的图块和一张缩略图",
        ),
    ],
)
def test_pages_and_a_picture_as_the_model_sees_them(
    shapes: Served,
    opened: Open,
    tmp_path: Path,
    locale: str,
    width: int,
    note: str,
    page_seen: str,
    picture_seen: str,
) -> None:
    browser = ready(opened(shapes.url, locale=locale, width=width))
    with Image.open(draw(tmp_path / "wide.png")) as drawn:
        drawn.resize((900, 300)).save(tmp_path / "wide.png")
    files = [str(pdf(tmp_path / "two.pdf", 2)), str(tmp_path / "wide.png")]
    browser.locator("input[type=file]").first.set_input_files(files)
    expect(browser.locator(".attached:visible")).to_contain_text(note)
    ask(browser, "How many shapes are there?")
    expect(cost(browser)).to_contain_text(str(64 * (2 + 4)))  # the tokens that the engine counted
    for at, told in ((0, picture_seen), (1, page_seen)):
        browser.locator("button.picture:visible").nth(at).press("Enter")
        expect(browser.locator("dialog.seen p")).to_contain_text(told)
        expect(browser.locator("dialog.seen img")).to_have_attribute("src", re.compile("^data:image/jpeg"))
        browser.keyboard.press("Escape")
        expect(browser.locator("dialog.seen")).to_be_hidden()


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_a_phones_picture(shapes: Served, opened: Open, tmp_path: Path, kind: str) -> None:
    """Chromium itself shows no HEIC; what the model sees of it is shown all the same."""
    pillow_heif.register_heif_opener()
    with Image.open(draw(tmp_path / "shapes.png")) as drawn:
        drawn.resize((640, 480)).save(tmp_path / f"IMG_0001.{kind}", quality=90)
    browser = ready(opened(shapes.url))
    upload(browser, tmp_path / f"IMG_0001.{kind}")
    ask(browser, "How many shapes are there?")
    expect(answers(browser)).to_have_text(re.compile(r"^\s*Two\.\s*$"))
    browser.locator("button.picture:visible").click()
    expect(browser.locator("dialog.seen p")).to_contain_text("640 × 480 pixels, seen as")
    expect(browser.locator("dialog.seen img")).to_have_js_property("complete", value=True)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_an_example_gets_an_answer(shapes: Served, opened: Open, locale: str) -> None:
    browser = ready(opened(shapes.url, locale=locale))
    examples = browser.get_by_role("button", name=re.compile("example"))
    expect(examples.first).to_be_visible()
    examples.first.click()
    expect(answers(browser)).to_have_text(re.compile(r"\S"), timeout=30_000)
