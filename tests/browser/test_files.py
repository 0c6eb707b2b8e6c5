"""Files that are given to the page, however they come and whatever they are called: what a picture is, is
decided by its content."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import TELEPHONE, Open, draw
from tests.browser.person import answers, ask, box, idle, questions, ready, trouble, upload
from tests.ui.scripted_page import Served
from tests.ui.test_uploads import FULL_BYTES, full_disk

__all__ = ["full_disk"]

pytestmark = pytest.mark.browser

NAMES = [
    "none", "a.bin", "b.dib", "c.pjpeg", "d.jpg_large", "e.jpg.download", "F.PNG", "图片", "星形.图", "g.txt",
    "h.json",
]  # fmt: skip

BRING = """async ([how, name, type, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const place = [...document.querySelectorAll(".question textarea")].find((each) => each.offsetParent);
    const options = { bubbles: true, cancelable: true };
    place.focus();
    if (how === "paste")
        place.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, ...options }));
    else
        for (const event of ["dragenter", "dragover", "drop"])
            place.dispatchEvent(new DragEvent(event, { dataTransfer: data, ...options }));
}"""


def bring(page: Page, how: str, path: Path, media_type: str = "") -> None:
    """A file by paste or drop; a browser knows no media type for an odd name."""
    page.evaluate(BRING, [how, path.name, media_type, base64.b64encode(path.read_bytes()).decode()])
    expect(page.locator(".thumbnail-item:visible")).to_have_count(1)
    expect(page.locator(".dragging")).to_have_count(0)


def named(folder: Path, name: str) -> Path:
    return draw(folder / "picture.png").rename(folder / name)


def test_pictures_of_any_name_by_dialog(page: Served, opened: Open, tmp_path: Path) -> None:
    browser = ready(opened(page.url))
    upload(browser, *(named(tmp_path, name) for name in NAMES))
    ask(browser, "seen")
    expect(answers(browser)).to_contain_text("seen")
    said = answers(browser).inner_text()
    assert [name for name in NAMES if f"[{name}]" not in said] == []
    pictures = questions(browser).locator("img")
    expect(pictures).to_have_count(len(NAMES))
    for index in range(len(NAMES)):
        expect(pictures.nth(index)).to_have_js_property("naturalWidth", 320)


@pytest.mark.parametrize("how", ["paste", "drop"])
@pytest.mark.parametrize(("name", "media_type"), [("x.bin", ""), ("图片", "application/octet-stream")])
def test_pictures_of_any_name_by_paste_and_drop(
    page: Served, opened: Open, tmp_path: Path, how: str, name: str, media_type: str
) -> None:
    browser = ready(opened(page.url))
    box(browser).fill("typed before, ")
    bring(browser, how, named(tmp_path, name), media_type)
    box(browser).press_sequentially("and after")
    box(browser).press("Enter")
    expect(answers(browser)).to_contain_text(f"[{name}] typed before, and after")


NOT_PICTURES = {
    "broken.png": b"no picture at all",
    "notes.txt": b"some notes",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "empty.png": b"",
    "none": b"\x00\x01",
}


@pytest.mark.parametrize("name", NOT_PICTURES)
@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en-US", r"(is not a picture that can be read|is empty)\s+Upload a"),
        ("zh-CN", r"(不是可以识别的图片|是空文件)\s+请上传"),
    ],
)
def test_what_is_no_picture_is_told_and_nothing_is_lost(
    page: Served, opened: Open, tmp_path: Path, name: str, locale: str, sentence: str
) -> None:
    (tmp_path / name).write_bytes(NOT_PICTURES[name])
    browser = ready(opened(page.url, locale=locale))
    box(browser).fill("what is this")
    upload(browser, tmp_path / name)
    box(browser).press("Enter")
    expect(trouble(browser)).to_have_text(re.compile(sentence), use_inner_text=True)
    expect(box(browser)).to_have_value("what is this")
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(1)
    box(browser).press("End")
    box(browser).press_sequentially(" now")  # a question typed right after a refusal, with and without it
    box(browser).press("Enter")
    expect(trouble(browser)).to_have_text(re.compile(sentence), use_inner_text=True)
    expect(box(browser)).to_have_value("what is this now")
    browser.locator(".thumbnail-item:visible").hover()
    browser.locator(".thumbnail-item:visible button").click()
    box(browser).press("Enter")
    expect(answers(browser)).to_contain_text("what is this now")
    idle(browser)
    expect(box(browser)).to_have_value("")
    expect(questions(browser)).to_have_count(1)
    expect(trouble(browser)).to_have_count(0)


@pytest.mark.parametrize("mb", [20.1, 33, 60])
@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en-US", "large.png has {mb:.1f} MB, more than the 20 MB a picture may have"),
        ("zh-CN", "large.png 有 {mb:.1f} MB，超过每张图片 20 MB 的上限"),
    ],
)
def test_a_large_file_is_told_and_the_others_are_taken(
    page: Served, opened: Open, tmp_path: Path, mb: float, locale: str, sentence: str
) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(int(mb * 1e6))
    browser = ready(opened(page.url, locale=locale))
    box(browser).fill("a question")
    files = [str(tmp_path / "large.png"), str(draw(tmp_path / "small.png"))]
    browser.locator("input[type=file]").first.set_input_files(files)
    expect(trouble(browser)).to_contain_text(sentence.format(mb=mb))
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(1)
    expect(box(browser)).to_have_value("a question")
    box(browser).press("Enter")
    expect(answers(browser)).to_contain_text("[small.png] a question")
    expect(trouble(browser)).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [("en-US", "The server has no room left for pictures"), ("zh-CN", "服务器放不下图片了")],
)
def test_a_full_disk_is_told_and_the_question_stays(
    page: Served, opened: Open, tmp_path: Path, full_disk: Path, locale: str, sentence: str
) -> None:
    with (tmp_path / "picture.png").open("wb") as file:
        file.truncate(3 * FULL_BYTES)
    # The refusal, and the example's picture, which the small disk has taken the place of, are logged.
    browser = opened(page.url, locale=locale, may_log="Failed to load resource")
    box(browser).fill("a question")
    browser.locator("input[type=file]").first.set_input_files(tmp_path / "picture.png")
    expect(trouble(browser)).to_contain_text(sentence)
    expect(box(browser)).to_have_value("a question")
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(0)
    assert not [path for path in full_disk.rglob("*") if path.is_file()]
    box(browser).press("Enter")
    expect(answers(browser)).to_contain_text("a question")


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [("en-US", "Add the files again once it runs"), ("zh-CN", "请在它运行后重新添加文件")],
)
def test_a_picture_that_came_to_no_server_is_told_and_the_question_stays(
    page: Served, opened: Open, tmp_path: Path, locale: str, sentence: str
) -> None:
    browser = opened(page.url, locale=locale, may_log="Failed to load resource")
    browser.route("**/gradio_api/upload*", lambda route: route.abort())
    box(browser).fill("a question")
    browser.locator("input[type=file]").first.set_input_files(draw(tmp_path / "picture.png"))
    expect(trouble(browser)).to_contain_text(sentence)
    expect(browser.locator(".toast-body")).to_have_count(0)
    expect(box(browser)).to_have_value("a question")
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(0)


def test_a_telephone_gives_several_pictures_at_once_and_is_touched(
    page: Served, opened: Open, tmp_path: Path
) -> None:
    """HEIC with its type and without one, as phones and their file managers tell it, and a photograph."""
    pillow_heif.register_heif_opener()
    with Image.open(draw(tmp_path / "drawn.png")) as drawn:
        drawn.save(tmp_path / "drawn.heic")
        drawn.save(tmp_path / "drawn.jpg")
    heic, jpeg = ((tmp_path / name).read_bytes() for name in ("drawn.heic", "drawn.jpg"))
    browser = ready(opened(page.url, **TELEPHONE))
    files = browser.locator(".question:visible input[type=file]")
    assert files.evaluate("(input) => [input.multiple, input.accept]") == [True, ""]  # any, the camera's too
    files.set_input_files(
        [
            {"name": "IMG_0001.HEIC", "mimeType": "image/heic", "buffer": heic},
            {"name": "IMG_0002.HEIC", "mimeType": "", "buffer": heic},
            {"name": "image.jpg", "mimeType": "image/jpeg", "buffer": jpeg},
        ]
    )
    expect(browser.locator(".thumbnail-item:visible")).to_have_count(3)
    box(browser).fill("what are they?")
    browser.locator("button.submit-button:visible").tap()
    expect(answers(browser)).to_contain_text("[IMG_0001.HEIC] [IMG_0002.HEIC] [image.jpg] what are they?")
    idle(browser)
    box(browser).fill("/endless")
    browser.locator("button.submit-button:visible").tap()
    expect(answers(browser).last).to_contain_text("0 1 2 3")
    browser.locator("button.stop-button:visible").tap()
    idle(browser)
    browser.get_by_role("tab", name="words in English").tap()
    expect(answers(browser)).to_have_count(0)
    browser.get_by_role("tab", name="Compare").tap()
    box(browser).fill("both?")
    browser.locator("button.submit-button:visible").tap()
    expect(answers(browser)).to_have_count(2)
    idle(browser)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
