"""One question to several models, side by side."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, box, boxes, idle, status, stop, trouble
from tests.ui.scripted_page import Served, scripted, served

pytestmark = pytest.mark.browser
GIB = 1 << 30


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three models of which the GPU holds one; each load leaves a mark. A fourth one cannot be loaded."""
    folder = tmp_path_factory.mktemp("three")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        kinds = {"one": "vision", "two": "vision", "words": "text"}
        models = [scripted(name, folder, size_bytes=6 * GIB, kind=kind) for name, kind in kinds.items()]
        models.append(scripted("broken", folder, "/fail no weights", 6 * GIB, kind="text"))
        with served(models, folder, budget_bytes=8 * GIB) as page:
            yield page


@pytest.fixture
def comparing(three: Served, opened: Open) -> Page:
    page = opened(three.url)
    page.get_by_role("tab", name="Compare").click()
    box(page).wait_for()
    return page


def column(page: Page, name: str) -> Locator:
    return page.locator(f"#column-{name}")


def choose(page: Page, name: str, *, chosen: bool = True) -> None:
    page.get_by_role("checkbox", name=f"{name} in English").set_checked(chosen)
    expect(column(page, name)).to_be_visible(visible=chosen)


def test_each_chosen_model_answers_in_its_column(comparing: Page, three: Served) -> None:
    expect(column(comparing, "words")).to_be_hidden()
    choose(comparing, "words")
    ask(comparing, "/name\n/say 2")
    for name in ("one", "two", "words"):
        said = re.compile(rf"^{name}\s*0 1\s*$")
        expect(column(comparing, name).locator("[data-testid=bot]")).to_have_text(said)
        expect(column(comparing, name).locator(".cost")).to_contain_text("the first after")
    idle(comparing)
    expect(box(comparing)).to_have_value("")


COLUMNS_AT_ONCE = """
    window.atOnce = [];
    const isColumn = (node) => node.matches?.("[id^=column-]") || node.querySelector?.("[id^=column-]");
    new MutationObserver((changes) => {
        const added = changes.flatMap(({ addedNodes }) => [...addedNodes]).filter(isColumn);
        if (added.length) atOnce.push(document.querySelectorAll("[id^=column-]").length);
    }).observe(document, { childList: true, subtree: true });
"""
"""Notes after each task that builds columns how many there are."""


def test_columns_are_built_one_at_a_time_though_nobody_has_come_there(three: Served, opened: Open) -> None:
    page = opened(three.url)
    page.add_init_script(COLUMNS_AT_ONCE)
    page.reload()
    page.wait_for_function("window.atOnce.at(-1) === 2")
    assert page.evaluate("window.atOnce[0]") == 1
    expect(column(page, "one")).to_be_hidden()


def test_a_column_is_built_when_its_model_is_chosen_and_has_what_was_carried_meanwhile(
    comparing: Page,
) -> None:
    comparing.get_by_role("tab", name="one in English").click()
    ask(comparing, "first")
    expect(answers(comparing)).to_have_count(1)
    idle(comparing)
    ask(comparing, "/asked")
    expect(answers(comparing)).to_have_count(2)
    idle(comparing)
    comparing.locator("[data-testid=user] button[title^='Ask other']:visible").last.click()
    expect(box(comparing)).to_have_value("/asked")
    expect(column(comparing, "words")).to_have_count(0)
    choose(comparing, "words")
    expect(column(comparing, "words").locator("[data-testid=user]")).to_have_text(re.compile("first"))
    expect(column(comparing, "words").locator(".status")).to_be_visible()
    box(comparing).press("Enter")
    expect(column(comparing, "words").locator("[data-testid=bot]").last).to_contain_text("first")
    idle(comparing)


def test_models_that_do_not_fit_together_are_each_loaded_once(comparing: Page, three: Served) -> None:
    """Asked at once, while each of them needs the whole card: one is awake, two are loaded, none twice."""
    choose(comparing, "words")
    loads = []
    for times in (1, 2):
        ask(comparing, "/held")
        expect(answers(comparing)).to_have_count(3 * times)
        idle(comparing)
        told = [int(text) for text in answers(comparing).all_inner_texts()]
        loads.append(told[times - 1 :: times])
    assert sorted(after - before for before, after in zip(*loads, strict=True)) == [0, 1, 1]


def test_a_conversation_goes_on_in_every_column(comparing: Page) -> None:
    ask(comparing, "first")
    expect(answers(comparing)).to_have_count(2)
    idle(comparing)
    ask(comparing, "/asked")
    expect(answers(comparing)).to_have_count(4)
    for name in ("one", "two"):
        expect(column(comparing, name).locator("[data-testid=bot]").last).to_contain_text("first")


def test_a_model_that_fails_says_so_and_the_others_answer(comparing: Page, tmp_path: Path) -> None:
    choose(comparing, "two", chosen=False)
    choose(comparing, "words")
    files = comparing.locator('[id="box-@compare"] input[type=file]')
    files.set_input_files(draw(tmp_path / "seen.png"))
    expect(comparing.locator(".thumbnail-item:visible")).to_have_count(1)
    ask(comparing, "what is it?")
    expect(column(comparing, "words").locator(".trouble")).to_contain_text("words reads text alone")
    expect(column(comparing, "one").locator("[data-testid=bot]")).to_contain_text("what is it?")
    idle(comparing)
    expect(box(comparing)).to_have_value("")


def test_that_a_model_cannot_be_loaded_is_said_once(comparing: Page) -> None:
    """Below the column or the box, where the answer was to come; in the status line if nothing is there."""
    choose(comparing, "one", chosen=False)
    choose(comparing, "two", chosen=False)
    choose(comparing, "broken")
    ask(comparing, "anyone?")
    expect(trouble(comparing)).to_contain_text("The script failed: no weights")
    expect(status(comparing)).to_contain_text("Failed.")
    expect(status(comparing)).not_to_contain_text("no weights")
    comparing.get_by_role("tab", name="broken in English").click()
    expect(status(comparing)).to_contain_text("Failed. The script failed: no weights")
    ask(comparing, "anyone?")
    expect(trouble(comparing)).to_contain_text("The script failed: no weights")
    expect(status(comparing)).to_contain_text("Failed.")
    expect(status(comparing)).not_to_contain_text("no weights")


def test_a_question_that_nobody_answers_goes_back_to_the_box(comparing: Page) -> None:
    ask(comparing, "/fail it")
    expect(trouble(comparing)).to_have_count(2)
    idle(comparing)
    expect(box(comparing)).to_have_value("/fail it")


def test_stop_stops_all(comparing: Page, three: Served) -> None:
    ask(comparing, "/endless")
    expect(answers(comparing).first).to_contain_text("0 1 2 3")
    stop(comparing)
    idle(comparing)
    expect(answers(comparing)).to_have_count(1)  # the other was still waiting, and has said nothing


def test_nothing_is_sent_while_an_answer_comes(comparing: Page, three: Served) -> None:
    gate = three.gate(f"compared-{random.getrandbits(64)}")
    choose(comparing, "two", chosen=False)
    ask(comparing, f"begun\n/wait {gate}")
    expect(answers(comparing)).to_contain_text("begun")
    ask(comparing, "second")
    three.open(gate)
    idle(comparing)
    expect(answers(comparing)).to_have_count(1)
    expect(box(comparing)).to_have_value("second")


def test_no_model_is_chosen(comparing: Page) -> None:
    choose(comparing, "one", chosen=False)
    choose(comparing, "two", chosen=False)
    ask(comparing, "anyone?")
    expect(trouble(comparing)).to_contain_text("No model is chosen")
    expect(box(comparing)).to_have_value("anyone?")


def test_a_chinese_reader_on_a_telephone(three: Served, opened: Open) -> None:
    page = opened(three.url, locale="zh-CN", width=390, height=844)
    page.evaluate("() => [...document.querySelectorAll('button[role=tab]')].at(-1).click()")
    box(page).wait_for()
    ask(page, "你好")
    expect(answers(page)).to_have_count(2)
    first, second = boxes(column(page, "one"), column(page, "two"))
    assert second["y"] >= first["y"] + first["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_stop_before_the_models_that_sleep_are_asked(comparing: Page) -> None:
    """Those are asked once the others have been."""
    box(comparing).fill("/endless")
    box(comparing).press("Enter")
    stop(comparing)
    idle(comparing)
    ask(comparing, "again")
    expect(answers(comparing).last).to_contain_text("again")
    idle(comparing)
