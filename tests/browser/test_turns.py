"""Questions and answers whose events overlap: nothing is lost or doubled, and Stop is there while there is
something to stop. In a browser at full speed and in one four times slower, which reads each update late."""

from __future__ import annotations

import random
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.person import answers, ask, box, cost, idle, questions, ready, slow_down, stop, trouble
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser

STEPS = 30
PATIENCE = 300
"""Tenths of a second."""


@pytest.fixture(params=[1, 4], ids=["full speed", "four times slower"])
def browser(page: Served, opened: Open, request: pytest.FixtureRequest) -> Page:
    page_open = ready(opened(page.url))
    slow_down(page_open, request.param)
    return page_open


def written(page: Page, text: str) -> None:
    """Typed key by key, as a person does."""
    box(page).press_sequentially(text, delay=10)


def stop_button(page: Page) -> Locator:
    return page.locator("button.stop-button:visible")


def test_every_question_leaves_the_box(browser: Page) -> None:
    for number in range(16):
        written(browser, f"question {number}")
        box(browser).press("Enter")
        expect(answers(browser)).to_have_count(number + 1)
        expect(cost(browser)).to_contain_text("2 tokens")
        idle(browser)
        expect(box(browser)).to_have_value("")


def test_every_answer_can_be_stopped(browser: Page) -> None:
    for number in range(8):
        ask(browser, "/endless")
        expect(stop_button(browser)).to_be_visible()
        expect(answers(browser)).to_have_count(number + 1)
        expect(answers(browser).last).to_contain_text("0 1 2 3")
        stop(browser)
        idle(browser)
        expect(box(browser)).to_have_value("")


def test_stop_at_once_after_enter(browser: Page) -> None:
    """The click may be at the server before the question is."""
    for _ in range(8):
        box(browser).fill("/stall")
        box(browser).press("Enter")
        stop(browser)
        idle(browser)
        expect(box(browser)).to_have_value("/stall")
        expect(questions(browser)).to_have_count(0)
        box(browser).fill("")


def test_what_is_typed_during_an_answer_stays(browser: Page) -> None:
    ask(browser, "/endless")
    written(browser, "typed while it speaks, ")
    stop(browser)
    written(browser, "and while it ends")
    idle(browser)
    expect(box(browser)).to_have_value("typed while it speaks, and while it ends")


def test_what_is_typed_right_after_enter_stays(browser: Page) -> None:
    written(browser, "first")
    box(browser).press("Enter")
    written(browser, "second")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser)).to_have_text(re.compile(r"^\s*first\s*$"))
    expect(box(browser)).to_have_value("second")


KEYS_IN_ONE_GO = """(textarea, keys) => {
    for (const key of keys) {
        textarea.dispatchEvent(new KeyboardEvent("keypress", { key, bubbles: true, cancelable: true }));
        if (key === "Enter") continue;
        textarea.setRangeText(key, textarea.selectionEnd, textarea.selectionEnd, "end");
        textarea.dispatchEvent(new Event("input", { bubbles: true }));
    }
}"""
"""Keys pressed before anything can be done about the first of them, as on a busy machine."""


@pytest.mark.parametrize(
    "caret", [pytest.param(5, id="behind it"), pytest.param(2, id="in the middle of it")]
)
def test_what_is_typed_before_the_page_sees_the_enter_stays(browser: Page, caret: int) -> None:
    box(browser).fill("first")
    box(browser).evaluate("(textarea, caret) => textarea.setSelectionRange(caret, caret)", caret)
    box(browser).evaluate(KEYS_IN_ONE_GO, ["Enter", *"second"])
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser)).to_have_text(re.compile(r"^\s*first\s*$"))
    expect(box(browser)).to_have_value("second")


def test_what_is_typed_before_the_page_sees_the_enter_on_nothing_stays(browser: Page) -> None:
    box(browser).fill("")
    box(browser).evaluate(KEYS_IN_ONE_GO, ["Enter", *"second"])
    expect(box(browser)).to_have_value("second")
    box(browser).press("Enter")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser)).to_have_text(re.compile(r"^\s*second\s*$"))


WRITTEN_ANEW = """(textarea, text) => {
    textarea.setRangeText(text, 0, textarea.value.length, "end");
    textarea.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def test_a_second_question_before_the_page_sees_the_first_enter_waits_for_its_answer(browser: Page) -> None:
    box(browser).fill("first")
    box(browser).evaluate(
        f"(textarea) => {{ const keys = {KEYS_IN_ONE_GO}, written = {WRITTEN_ANEW};"
        " keys(textarea, ['Enter']); written(textarea, 'second'); keys(textarea, ['Enter', '!']); }"
    )
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser)).to_have_text(re.compile(r"^\s*first\s*$"))
    expect(box(browser)).to_have_value("second!")  # changed since its Enter, so it waits for another


def test_two_questions_before_the_page_sees_the_first_enter_are_both_asked(browser: Page) -> None:
    box(browser).fill("first")
    box(browser).evaluate(KEYS_IN_ONE_GO, ["Enter", *"second", "Enter"])
    expect(answers(browser)).to_have_count(2)
    idle(browser)
    assert [each.strip() for each in questions(browser).all_inner_texts()] == ["first", "second"]
    expect(box(browser)).to_have_value("")


PRESSED = """(name) => [...document.querySelectorAll(`button[aria-label="${name}"]`)]
    .filter((each) => each.offsetParent).at(-1).click()"""


@pytest.mark.parametrize("name", ["Undo", "Clear"])
def test_what_is_sent_and_not_seen_yet_outlives_undo_and_clear(browser: Page, name: str) -> None:
    """Their clicks come to the page's script before the Enters that were pressed before them."""
    written(browser, "w1w")
    box(browser).press("Enter")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    box(browser).evaluate(
        f"(textarea, name) => {{ ({KEYS_IN_ONE_GO})(textarea, [...'w2w', 'Enter']); ({PRESSED})(name); }}",
        name,
    )
    expect(answers(browser)).to_have_count(1)
    expect(questions(browser)).to_contain_text("w2w")
    idle(browser)
    assert words_on(browser) == (["w1w", "w2w"] if name == "Undo" else ["w2w"])


def test_enter_twice_before_the_page_sees_it_asks_once(browser: Page) -> None:
    box(browser).fill("once")
    box(browser).evaluate(KEYS_IN_ONE_GO, ["Enter", "Enter"])
    ask(browser, "again")
    expect(answers(browser)).to_have_count(2)
    idle(browser)
    assert [each.strip() for each in questions(browser).all_inner_texts()] == ["once", "again"]


def test_enter_twice_asks_once(browser: Page) -> None:
    written(browser, "once")
    box(browser).press("Enter")
    box(browser).press("Enter")
    written(browser, "not yet asked")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser)).to_have_count(1)
    expect(box(browser)).to_have_value("not yet asked")


def test_what_is_typed_after_enter_during_an_answer_is_not_sent_half(browser: Page, page: Served) -> None:
    gate = page.gate(f"typing-{random.getrandbits(64)}")
    ask(browser, f"some words\n/wait {gate}\nand the end")
    expect(answers(browser)).to_contain_text("some words")
    written(browser, "second")
    box(browser).press("Enter")
    written(browser, ", no: th")
    page.open(gate)
    idle(browser)
    written(browser, "ird")
    expect(box(browser)).to_have_value("second, no: third")
    box(browser).press("Enter")
    expect(answers(browser)).to_have_count(2)
    expect(answers(browser).last).to_contain_text("second, no: third")


def test_enter_on_an_empty_box_asks_nothing(browser: Page) -> None:
    box(browser).press("Enter")
    written(browser, " ")
    box(browser).press("Enter")
    ask(browser, "something")
    expect(answers(browser)).to_have_count(1)
    expect(questions(browser)).to_have_count(1)
    expect(trouble(browser)).to_have_count(0)


def test_enter_during_an_answer_that_fails_keeps_both_questions(browser: Page, page: Served) -> None:
    gate = page.gate(f"failing-{random.getrandbits(64)}")
    ask(browser, f"/wait {gate}\n/fail it")
    ask(browser, "second")
    page.open(gate)
    idle(browser)
    expect(trouble(browser)).to_contain_text("The script failed: it")
    expect(box(browser)).to_have_value(f"/wait {gate}\n/fail it\nsecond")
    expect(questions(browser)).to_have_count(0)
    box(browser).fill("third")  # and nothing is asked by itself later
    box(browser).press("Enter")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser)).to_have_text(re.compile(r"^\s*third\s*$"))
    expect(box(browser)).to_have_value("")


def test_clear_at_the_end_of_an_answer_is_final(browser: Page, page: Served) -> None:
    for number in range(4):
        gate = page.gate(f"cleared-{random.getrandbits(64)}")
        ask(browser, f"some words\n/wait {gate}\nand the end")
        expect(answers(browser)).to_contain_text("some words")
        page.open(gate)
        if number % 2:
            expect(answers(browser)).to_contain_text("and the end")
        browser.get_by_role("button", name="Clear").locator("visible=true").click()
        idle(browser)
        expect(questions(browser)).to_have_count(0)
        expect(answers(browser)).to_have_count(0)
        expect(cost(browser)).to_have_count(0)


def test_an_example_clicked_twice_is_asked_once(browser: Page) -> None:
    browser.get_by_role("button", name=re.compile("An example")).dblclick()
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    expect(questions(browser).filter(has_text="An example")).to_have_count(1)


def test_retry_and_undo_during_an_answer_change_nothing(browser: Page) -> None:
    ask(browser, "first")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    ask(browser, "/endless")
    click_at_once(browser, "Retry")
    click_at_once(browser, "Undo")
    expect(answers(browser).last).to_contain_text("0 1 2 3")
    stop(browser)
    idle(browser)
    expect(questions(browser)).to_have_count(2)
    expect(box(browser)).to_have_value("")


def click_at_once(page: Page, name: str) -> str | None:
    """Clicks the last such button and tells what stood in the box just before; None where there is no
    button."""
    written: str | None = page.evaluate(
        """(name) => {
            const seen = (element) => element.offsetParent;
            const button = [...document.querySelectorAll(`button[aria-label="${name}"]`)].filter(seen).at(-1);
            const written = [...document.querySelectorAll(".question textarea")].find(seen).value;
            button?.click();
            return button ? written : null;
        }""",
        name,
    )
    return written


ACTIONS = (
    "question",
    "question",
    "question",
    "endless",
    "failing",
    "Stop",
    "Stop",
    "Clear",
    "Undo",
    "Retry",
    "wait",
)


@pytest.mark.parametrize("seed", range(3))
def test_a_person_in_a_hurry_loses_nothing(browser: Page, seed: int) -> None:
    """Each question has a word of its own. Whatever is clicked meanwhile, at the end each word stands once in
    the box or in a question of the conversation, unless it was cleared away."""
    chance = random.Random(seed)
    words: set[str] = set()
    actions = []
    for step in range(STEPS):
        action = chance.choice(ACTIONS)
        actions.append(action)
        if action in ("question", "endless", "failing"):
            words.add(word := f"w{step}w")
            script = {"question": "", "endless": "\n/endless", "failing": "\n/fail so"}[action]
            for line in f"{word}{script}".split("\n"):
                box(browser).press("Shift+Enter")
                box(browser).press_sequentially(line)
            box(browser).press("Enter")
        elif action == "wait":
            browser.wait_for_timeout(chance.choice((50, 300)))
        else:
            kept = click_at_once(browser, action)
            if action == "Clear" and kept is not None:
                words = {word for word in words if word in kept}
    for _ in range(PATIENCE):  # a question that was just sent is neither in the box nor shown for a moment
        click_at_once(browser, "Stop")
        browser.wait_for_timeout(100)
        if words_on(browser) == sorted(words) and not stop_button(browser).count():
            break
    idle(browser)
    assert words_on(browser) == sorted(words), actions


def words_on(page: Page) -> list[str]:
    text = " ".join([box(page).input_value(), *questions(page).all_inner_texts()])
    return sorted(re.findall(r"w\d+w", text))
