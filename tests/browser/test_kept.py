"""Conversations that the browser keeps: after a reload they are gone on with, and they leave as files."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, box, boxes, idle, questions, ready, upload
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser


@pytest.fixture
def browser(page: Served, opened: Open) -> Page:
    return ready(opened(page.url))


def shelf(page: Page) -> Locator:
    return page.locator(".shelf:visible")


def kept(page: Page) -> Locator:
    return shelf(page).locator("li")


def remark(page: Page) -> Locator:
    return shelf(page).get_by_role("alert")


def look(page: Page, count: int) -> None:
    """Opens the shelf once it holds so many conversations."""
    expect(shelf(page).locator("summary")).to_contain_text(re.compile(rf"[(（]{count}[)）]"))
    if shelf(page).locator("details:not([open])").count():
        shelf(page).locator("summary").click()


def press(page: Page, name: str, at: int = 0) -> None:
    kept(page).nth(at).get_by_role("button", name=name, exact=True).click()


def asked(page: Page, text: str) -> None:
    before = answers(page).count()
    ask(page, text)
    expect(answers(page)).to_have_count(before + 1)
    idle(page)


def exported(page: Page, kind: str) -> Path:
    with page.expect_download() as download:
        press(page, kind)
    return download.value.path()


def test_a_conversation_outlives_a_reload_and_is_gone_on_with(browser: Page, tmp_path: Path) -> None:
    upload(browser, draw(tmp_path / "seen.png"))
    asked(browser, "what is on it?")
    look(browser, 1)
    browser.reload()
    ready(browser)
    expect(questions(browser).last).to_contain_text("what is on it?")
    expect(questions(browser).locator("img")).to_have_js_property("complete", value=True)
    asked(browser, "/asked")
    told = answers(browser).last.inner_text()
    assert "what is on it?" in told
    assert ".png" in told
    look(browser, 1)  # the same conversation, longer
    expect(questions(browser)).to_have_count(2)


def test_a_new_window_begins_anew_and_has_what_is_kept_on_its_shelf(browser: Page, page: Served) -> None:
    asked(browser, "first")
    look(browser, 1)
    other = browser.context.new_page()
    other.goto(page.url)
    look(ready(other), 1)
    expect(questions(other)).to_have_count(0)
    press(other, "first")
    expect(questions(other)).to_have_count(1)
    other.close()


def test_what_is_cleared_is_forgotten_and_what_is_begun_anew_is_kept(browser: Page) -> None:
    asked(browser, "first")
    look(browser, 1)
    shelf(browser).get_by_role("button", name="New conversation").click()
    expect(questions(browser)).to_have_count(0)
    asked(browser, "second")
    look(browser, 2)
    browser.get_by_role("button", name="Clear").locator("visible=true").click()
    look(browser, 1)
    expect(kept(browser)).to_contain_text("first")


def test_undo_of_the_only_question_keeps_nothing(browser: Page) -> None:
    asked(browser, "first")
    look(browser, 1)
    browser.get_by_role("button", name="Undo").locator("visible=true").click()
    look(browser, 0)
    expect(box(browser)).to_have_value("first")


def test_a_conversation_is_renamed_and_deleted(browser: Page) -> None:
    asked(browser, "<b>first</b>")
    look(browser, 1)
    expect(kept(browser).locator(".title")).to_have_text("<b>first</b>")
    press(browser, "Rename")
    kept(browser).get_by_role("textbox").fill("  a better name ")
    kept(browser).get_by_role("textbox").press("Enter")
    expect(kept(browser).locator(".title")).to_have_text("a better name")
    asked(browser, "second")
    expect(kept(browser).locator(".title")).to_have_text("a better name")
    press(browser, "Delete")
    look(browser, 1)
    press(browser, "For good?")
    look(browser, 0)
    expect(questions(browser)).to_have_count(2)  # what is seen stays seen


OPENED_WHILE_READ = """
() => {
  const getAll = IDBObjectStore.prototype.getAll;
  IDBObjectStore.prototype.getAll = function (...given) {
    IDBObjectStore.prototype.getAll = getAll;  // once: another click would close it
    const shelf = [...document.querySelectorAll(".shelf")].find((each) => each.checkVisibility());
    shelf.querySelector("summary").click();
    return getAll.apply(this, given);
  };
}
"""


def test_a_shelf_that_is_opened_while_it_is_drawn_anew_stays_open(browser: Page) -> None:
    asked(browser, "first")
    expect(shelf(browser).locator("summary")).to_contain_text("(1)")
    browser.evaluate(OPENED_WHILE_READ)
    browser.get_by_role("button", name="Clear").locator("visible=true").click()
    expect(shelf(browser).locator("summary")).to_contain_text("(0)")
    expect(shelf(browser).get_by_role("button", name="New conversation")).to_be_visible()


def test_a_title_that_is_being_written_outlasts_the_end_of_an_answer(browser: Page) -> None:
    asked(browser, "first")
    look(browser, 1)
    press(browser, "Rename")
    title = kept(browser).get_by_role("textbox")
    title.fill("half a ti")
    asked(browser, "second")
    expect(title).to_have_value("half a ti")
    title.fill("half a title")
    title.press("Enter")
    expect(kept(browser).locator(".title")).to_have_text("half a title")


def test_the_shelf_is_used_while_a_title_is_being_written(browser: Page) -> None:
    for count, text in enumerate(("first", "second", "third"), 1):
        asked(browser, text)
        look(browser, count)
        shelf(browser).get_by_role("button", name="New conversation").click()
        expect(questions(browser)).to_have_count(0)
    titles = kept(browser).locator(".title")
    press(browser, "Rename", at=0)
    kept(browser).get_by_role("textbox").fill("half a title")
    press(browser, "Delete", at=2)
    press(browser, "For good?", at=2)
    look(browser, 2)
    expect(kept(browser).get_by_role("textbox")).to_have_value("half a title")
    press(browser, "Rename", at=1)
    expect(kept(browser).get_by_role("textbox")).to_have_value("second")
    expect(titles).to_have_text(["third"])
    kept(browser).get_by_role("textbox").press("Escape")
    expect(titles).to_have_text(["third", "second"])


def test_the_keyboard_stays_where_it_was_on_the_shelf(browser: Page) -> None:
    asked(browser, "first")
    look(browser, 1)
    shelf(browser).get_by_role("button", name="New conversation").press("Enter")
    expect(questions(browser)).to_have_count(0)
    expect(shelf(browser).get_by_role("button", name="New conversation")).to_be_focused()
    asked(browser, "second")
    look(browser, 2)
    kept(browser).first.get_by_role("button", name="Rename").press("Enter")
    expect(kept(browser).get_by_role("textbox")).to_be_focused()
    browser.keyboard.type("another")
    browser.keyboard.press("Enter")
    expect(kept(browser).first.locator(".title")).to_have_text("another")
    expect(kept(browser).first.locator(".title")).to_be_focused()
    kept(browser).first.get_by_role("button", name="Delete").press("Enter")
    browser.keyboard.press("Enter")
    look(browser, 1)
    expect(kept(browser).get_by_role("button", name="Delete")).to_be_focused()


def test_a_title_is_one_short_line_whoever_wrote_it(browser: Page) -> None:
    turn = {"question": "asked <b>", "answer": "a", "pictures": []}
    for count, given in enumerate(("", " \n ", "one\ntwo", "😀" * 5000), 1):
        content = {"format": "launcher-conversation", "version": 1, "title": given, "turns": [turn]}
        shelf(browser).locator("input[type=file]").set_input_files(
            {"name": "kept.json", "mimeType": "application/json", "buffer": json.dumps(content).encode()}
        )
        look(browser, count)
    titles = ["😀" * 59 + "…", "one", "asked <b>", "asked <b>"]
    expect(kept(browser).locator(".title")).to_have_text(titles)


def test_nothing_is_opened_during_an_answer_and_it_is_said(browser: Page) -> None:
    asked(browser, "first")
    look(browser, 1)
    expect(questions(browser).locator("button.amend")).to_be_visible()
    ask(browser, "begun\n/stall")
    expect(answers(browser).last).to_contain_text("begun")
    expect(questions(browser).locator("button.amend:visible")).to_have_count(0)
    for name in ("New conversation", "first"):
        shelf(browser).get_by_role("button", name=name).click()
        expect(remark(browser)).to_have_text(
            "An answer is coming in this tab. Stop it first, or wait for its end."
        )
    expect(answers(browser).last).to_contain_text("begun")
    browser.get_by_role("button", name="Clear").locator("visible=true").click()
    idle(browser)
    shelf(browser).get_by_role("button", name="New conversation").click()
    expect(remark(browser)).to_be_empty()


def test_a_question_asked_while_a_conversation_is_fetched_keeps_its_answer(browser: Page) -> None:
    asked(browser, "first")
    look(browser, 1)
    shelf(browser).get_by_role("button", name="New conversation").click()
    expect(questions(browser)).to_have_count(0)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    browser.route("**/launcher/shown", hold)
    with browser.expect_request("**/launcher/shown"):
        shelf(browser).get_by_role("button", name="first").click()
    ask(browser, "begun\n/stall")
    expect(answers(browser)).to_contain_text("begun")
    held[0].continue_()
    expect(remark(browser)).to_contain_text("An answer is coming in this tab.")
    expect(questions(browser)).to_have_count(1)
    expect(answers(browser)).to_contain_text("begun")
    browser.get_by_role("button", name="Clear").locator("visible=true").click()
    idle(browser)


def test_json_leaves_and_comes_back_with_its_picture(browser: Page, tmp_path: Path) -> None:
    upload(browser, draw(tmp_path / "seen.png"))
    asked(browser, "what is *on* it?")
    look(browser, 1)
    file = exported(browser, "Export as JSON")
    told = json.loads(file.read_text("utf-8"))
    assert [turn["question"] for turn in told["turns"]] == ["what is *on* it?"]
    press(browser, "Delete")
    press(browser, "For good?")
    look(browser, 0)
    shelf(browser).locator("input[type=file]").set_input_files(
        {"name": "kept.json", "mimeType": "application/json", "buffer": file.read_bytes()}
    )
    look(browser, 1)
    press(browser, "what is *on* it?")
    expect(questions(browser).last).to_contain_text("what is *on* it?")
    expect(questions(browser).locator("img")).to_have_count(1)


def test_markdown_leaves_in_a_zip_with_its_picture(browser: Page, tmp_path: Path) -> None:
    picture = draw(tmp_path / "seen.png")
    upload(browser, picture)
    asked(browser, "一 *two*")
    look(browser, 1)
    with zipfile.ZipFile(exported(browser, "Export as Markdown")) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["conversation.md", "pictures/1-1.png"]
        text = archive.read("conversation.md").decode()
        with Image.open(io.BytesIO(archive.read("pictures/1-1.png"))) as found, Image.open(picture) as given:
            assert found.convert("RGB").tobytes() == given.convert("RGB").tobytes()
    assert "![](pictures/1-1.png)" in text
    assert "> 一 \\*two\\*" in text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format": "other"}',
        b'{"format": "launcher-conversation", "version": 1, "title": "x", "turns": []}',
        b'{"format": "launcher-conversation", "version": 1, "title": "x", "turns": [{"question": 1}]}',
        b'{"format": "launcher-conversation", "version": 1, "title": "x", "turns": [{"question": "q",'
        b' "answer": "a", "pictures": [{"name": "p", "type": "text/html", "data": "PGI+"}]}]}',
        b'{"format": "launcher-conversation", "version": 1, "title": "x", "turns": [{"question": " ",'
        b' "answer": "a", "pictures": []}]}',
    ],
)
def test_a_file_that_is_none_of_ours_is_refused(browser: Page, content: bytes) -> None:
    shelf(browser).locator("input[type=file]").set_input_files(
        {"name": "kept.json", "mimeType": "application/json", "buffer": content}
    )
    expect(remark(browser)).to_contain_text("kept.json is not a conversation")
    look(browser, 0)


def test_what_a_file_says_is_text(browser: Page) -> None:
    """A conversation that someone else made cannot be HTML, nor load anything."""
    turn = {
        "question": "<img src=/x onerror=alert(1)>",
        "answer": "<script>1</script> **bold**",
        "pictures": [],
    }
    content = {"format": "launcher-conversation", "version": 1, "title": "<i>t</i>", "turns": [turn]}
    shelf(browser).locator("input[type=file]").set_input_files(
        {"name": "kept.json", "mimeType": "application/json", "buffer": json.dumps(content).encode()}
    )
    look(browser, 1)
    press(browser, "<i>t</i>")
    expect(questions(browser)).to_contain_text("<img src=/x onerror=alert(1)>")
    expect(answers(browser)).to_contain_text("<script>1</script> bold")
    expect(answers(browser).locator("strong")).to_have_text("bold")


def test_a_reload_in_the_middle_of_an_answer_loses_no_question(browser: Page) -> None:
    asked(browser, "first")
    ask(browser, "begun\n/stall")
    expect(answers(browser).last).to_contain_text("begun")
    box(browser).fill("and next")
    browser.get_by_role("tab", name="Compare").click()
    box(browser).fill("to all of you")
    browser.reload()
    expect(box(browser)).to_have_value("begun\n/stall\nand next")
    expect(questions(browser)).to_have_text(re.compile("first"))
    browser.get_by_role("tab", name="Compare").click()
    expect(box(browser)).to_have_value("to all of you")
    box(browser).fill("")
    browser.reload()
    expect(box(browser)).to_have_value("begun\n/stall\nand next")
    browser.get_by_role("tab", name="Compare").click()
    expect(box(browser)).to_have_value("")


def test_a_reload_before_its_pictures_have_come_loses_no_word(browser: Page, tmp_path: Path) -> None:
    """As over a slow network: the browser asks the server for a picture's bytes once it keeps the answer."""
    asked(browser, "first")
    look(browser, 1)
    browser.route("**/gradio_api/file=**", lambda route: None)  # no answer, ever
    upload(browser, draw(tmp_path / "slow.png"))
    with browser.expect_request("**/gradio_api/file=**"):
        asked(browser, "what is on it?")
    browser.reload()
    expect(questions(browser)).to_have_text([re.compile("first"), re.compile("what is on it?")])
    expect(remark(browser)).to_contain_text("this browser has not kept them: 1.")


def test_two_windows_that_go_on_with_one_conversation_lose_nothing(browser: Page, page: Served) -> None:
    asked(browser, "first")
    other = browser.context.new_page()
    other.goto(page.url)
    look(ready(other), 1)
    press(other, "first")
    expect(questions(other)).to_have_count(1)
    asked(other, "from the other")
    asked(browser, "from here")
    for window in (browser, other):
        look(window, 2)
        expect(kept(window).locator(".title")).to_have_text(["first", "first"])
    press(browser, "first", at=1)
    expect(questions(browser).last).to_contain_text("from the other")
    asked(other, "and more")
    browser.get_by_role("button", name="Clear").locator("visible=true").click()
    expect(questions(browser)).to_have_count(0)
    asked(browser, "anew")
    look(browser, 3)
    other.close()


KEEPS_NO_BLOB = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (value, ...more) {
  const holdsOne = value.turns.some((turn) => turn.pictures.some(({ blob }) => blob instanceof Blob));
  if (holdsOne) throw new DOMException("Error preparing Blob/File data", "UnknownError");
  return put.call(this, value, ...more);
};
"""


def test_a_private_window_of_safari_keeps_pictures_too(browser: Page, tmp_path: Path) -> None:
    """WebKit's own refusal, played: a database there takes no Blob."""
    browser.evaluate(f"() => {{ {KEEPS_NO_BLOB} }}")
    upload(browser, draw(tmp_path / "seen.png"))
    asked(browser, "what is on it?")
    look(browser, 1)
    expect(remark(browser)).to_be_empty()
    shelf(browser).get_by_role("button", name="New conversation").click()
    expect(questions(browser)).to_have_count(0)
    press(browser, "what is on it?")
    expect(questions(browser).locator("img")).to_have_js_property("naturalWidth", 320)


def test_a_browser_that_keeps_nothing_says_so_and_answers(page: Served, opened: Open) -> None:
    browser = opened(page.url)
    browser.add_init_script("IDBFactory.prototype.open = () => { throw new Error('no storage here') }")
    browser.reload()
    ready(browser)
    asked(browser, "first")
    expect(remark(browser)).to_contain_text("no storage here")
    expect(answers(browser)).to_contain_text(re.compile("first"))


def test_the_oldest_pictures_go_first_and_it_is_said(browser: Page, tmp_path: Path) -> None:
    for number in range(2):
        upload(browser, draw(tmp_path / f"{number}.png"))
        asked(browser, f"question {number}")
        look(browser, number + 1)
        shelf(browser).get_by_role("button", name="New conversation").click()
        expect(questions(browser)).to_have_count(0)
    browser.evaluate(
        """async () => {
            const opening = indexedDB.open("launcher", 1);
            await new Promise((done) => (opening.onsuccess = done));
            const change = opening.result.transaction("conversations", "readwrite");
            const store = change.objectStore("conversations");
            const found = store.getAll();
            await new Promise((done) => (found.onsuccess = done));
            const oldest = found.result.sort((one, other) => one.changed - other.changed)[0];
            oldest.turns[0].pictures[0].blob = new Blob([new Uint8Array(65 * 1024 * 1024)]);
            const put = store.put(oldest);
            await new Promise((done) => (put.onsuccess = done));
            opening.result.close();
        }"""
    )
    asked(browser, "question 2")
    look(browser, 3)
    press(browser, "question 0", at=2)
    expect(remark(browser)).to_contain_text("this browser has not kept them: 1.")
    expect(questions(browser).locator("img")).to_have_count(0)
    press(browser, "question 1", at=1)
    expect(questions(browser).locator("img")).to_have_count(1)


@pytest.mark.parametrize(
    ("locale", "heading", "exports"),
    [
        ("en-US", "Conversations kept in this browser (1)", "Export:JSONMarkdown"),
        ("zh-CN", "保存在此浏览器中的对话（1）", "导出：JSONMarkdown"),
    ],
)
def test_a_shelf_on_a_telephone(page: Served, opened: Open, locale: str, heading: str, exports: str) -> None:
    browser = ready(opened(page.url, locale=locale, width=390, height=844))
    asked(browser, "第一个问题，" + "很长" * 40)
    look(browser, 1)
    expect(shelf(browser).locator("summary")).to_have_text(heading)
    expect(kept(browser).locator(".exports")).to_have_text(exports)
    buttons = kept(browser).locator("button:not(.title)")
    assert len({place["y"] for place in boxes(*buttons.all())}) == 1
    buttons.last.click()  # Delete asks once more, and stays where it is
    assert len({place["y"] for place in boxes(*buttons.all())}) == 1
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
