"""From what a person does on the page to what the engine was really asked: one conversation after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, draw
from tests.browser.test_page import answers, ask, box, questions, ready, upload
from tests.ui.asked import OPTIONS, read_request, talking
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser

SYSTEM = "Be kind.\nAnd brief."
TOLD = ("system", SYSTEM)


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with talking(tmp_path_factory.mktemp("page"), SYSTEM) as page:
        yield page


@pytest.fixture
def chat(talker: Served, opened: Open) -> Page:
    return advanced(ready(opened(talker.url)))


def advanced(page: Page) -> Page:
    page.get_by_role("button", name="Advanced").click()
    expect(system_box(page)).to_be_visible()
    expect(number_box(page, "Seed")).to_have_value("-1")  # the last of them is there, too
    page.evaluate(WORK_IS_DONE)
    return page


WORK_IS_DONE = "() => new Promise((done) => requestIdleCallback(() => requestIdleCallback(() => done())))"
"""Gradio sets what it has just built once more, some milliseconds later: no person is there before that."""


def system_box(page: Page) -> Locator:
    return page.get_by_label("System prompt")


def number_box(page: Page, label: str) -> Locator:
    """A slider's box, or the seed's."""
    return page.get_by_label(f"number input for {label}") if label != "Seed" else page.get_by_label("Seed")


def write_number(page: Page, label: str, text: str) -> None:
    """Writes into a number box and leaves it."""
    number_box(page, label).fill(text)
    number_box(page, label).press("Tab")


def given_to_engine(page: Page, first_line: str = "") -> dict[str, Any]:
    """Asks for what the engine is given, and reads it from the answer's code block."""
    blocks = answers(page).locator("code")
    before = blocks.count()
    ask(page, f"{first_line}\n/asked" if first_line else "/asked")
    expect(blocks).to_have_count(before + 1)
    expect(page.locator("button.submit-button:visible")).to_be_visible()
    return read_request(blocks.last.text_content() or "")


def test_the_presets_prompt_one_of_ones_own_none_and_the_presets_again(
    talker: Served, opened: Open, chat: Page
) -> None:
    assert given_to_engine(chat) == {"messages": [TOLD, ("user", "/asked")], "options": OPTIONS}
    chat.get_by_role("button", name="Clear").click()
    system_box(chat).fill("你好 <b> *x* `y` \\n\n 🦊")
    assert given_to_engine(chat)["messages"][0] == ("system", "你好 <b> *x* `y` \\n\n 🦊")
    for emptied in ("", "  \n"):
        chat.get_by_role("button", name="Clear").click()
        system_box(chat).fill(emptied)
        assert given_to_engine(chat)["messages"] == [("user", "/asked")]
    again = advanced(ready(opened(talker.url)))
    assert given_to_engine(again)["messages"][0] == TOLD


def test_options_that_were_changed_and_number_boxes_that_were_emptied(chat: Page) -> None:
    changed = {
        "Longest answer, in tokens": ("max_new_tokens", 77),
        "Temperature": ("temperature", 1.35),
        "Top p": ("top_p", 0.55),
        "Top k": ("top_k", 7),
        "Repetition penalty": ("repetition_penalty", 1.25),
        "Seed": ("seed", 12345),
    }
    for label, (_, value) in changed.items():
        write_number(chat, label, str(value))
        expect(number_box(chat, label)).to_have_value(str(value))
    assert given_to_engine(chat)["options"] == dict(changed.values())
    chat.get_by_role("button", name="Clear").click()
    for label in changed:
        write_number(chat, label, "")
    assert given_to_engine(chat)["options"] == OPTIONS
    for label, (name, _) in changed.items():
        if label != "Seed":
            expect(number_box(chat, label)).to_have_value(str(OPTIONS[name]))


def test_what_was_changed_is_set_back_to_the_presets_values(chat: Page) -> None:
    system_box(chat).fill("something else")
    for label, value in {"Temperature": "1.35", "Top k": "7", "Seed": "12345"}.items():
        write_number(chat, label, value)
    chat.get_by_role("button", name="As the preset has them").click()
    expect(number_box(chat, "Seed")).to_have_value("-1")
    assert given_to_engine(chat) == {"messages": [TOLD, ("user", "/asked")], "options": OPTIONS}


def test_two_turns_of_history_with_characters_that_mean_something(chat: Page) -> None:
    first = "<b>&amp;</b> *x* _y_ `z` | $$1$$ \\* [a](b) 1. 你好 🦊 &lt;"
    ask(chat, first)
    expect(answers(chat)).to_have_count(1)
    expect(chat.locator("button.submit-button:visible")).to_be_visible()
    second = "two   spaces, ``` and a\ttab"
    ask(chat, second)
    expect(answers(chat)).to_have_count(2)
    expect(chat.locator("button.submit-button:visible")).to_be_visible()
    said = [" ".join(text.split()) + " " for text in (first, second)]
    assert given_to_engine(chat, "and now")["messages"] == [
        TOLD,
        ("user", first),
        ("assistant", said[0]),
        ("user", second),
        ("assistant", said[1]),
        ("user", "and now\n/asked"),
    ]


def test_pictures_of_every_turn_come_along(chat: Page, tmp_path: Path) -> None:
    upload(chat, draw(tmp_path / "one.png"), draw(tmp_path / "two.png"))
    ask(chat, "both")
    expect(answers(chat)).to_have_count(1)
    expect(chat.locator("button.submit-button:visible")).to_be_visible()
    upload(chat, draw(tmp_path / "three.png"))
    assert given_to_engine(chat)["messages"] == [
        TOLD,
        ("user", "both", "one.png", "two.png"),
        ("assistant", "[one.png] [two.png] both "),
        ("user", "/asked", "three.png"),
    ]


def test_after_retry_undo_stop_and_clear(talker: Served, chat: Page) -> None:
    assert given_to_engine(chat)["messages"] == [TOLD, ("user", "/asked")]
    chat.get_by_role("button", name="Retry").click()
    expect(answers(chat).locator("code")).to_have_count(1)
    expect(chat.locator("button.submit-button:visible")).to_be_visible()
    request = read_request(answers(chat).locator("code").text_content() or "")
    assert request["messages"] == [TOLD, ("user", "/asked")]

    chat.get_by_role("button", name="Undo").click()
    expect(questions(chat)).to_have_count(0)
    expect(box(chat)).to_have_value("/asked")
    gate = talker.gate("stopped")
    ask(chat, f"some words\n/wait {gate}\nnever said")
    expect(answers(chat)).to_contain_text("some words")
    chat.locator("button.stop-button:visible").click()
    expect(chat.locator("button.submit-button:visible")).to_be_visible()
    talker.open(gate)
    assert given_to_engine(chat)["messages"] == [
        TOLD,
        ("user", f"some words\n/wait {gate}\nnever said"),
        ("assistant", "some words "),
        ("user", "/asked"),
    ]

    chat.get_by_role("button", name="Clear").click()
    expect(questions(chat)).to_have_count(0)
    assert given_to_engine(chat)["messages"] == [TOLD, ("user", "/asked")]


def test_a_seed_that_is_none_is_told_and_the_question_kept(chat: Page) -> None:
    write_number(chat, "Seed", str(2**64))
    expect(number_box(chat, "Seed")).to_have_value(str(2**64))
    ask(chat, "kept")
    expect(chat.locator(".trouble:visible")).to_contain_text(
        '"Seed" under Advanced cannot be 18446744073709552000'
    )
    expect(box(chat)).to_have_value("kept")
    expect(questions(chat)).to_have_count(0)
