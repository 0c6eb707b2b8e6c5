"""Tabs whose models do not fit a GPU together: what a person sees of their taking turns."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from launcher.workers.states import ModelState, ProcessState
from tests.browser.conftest import Open
from tests.browser.person import answers, ask, ready, status
from tests.ui.scripted_page import Served, scripted, served
from tests.workers.stage import wait_until

pytestmark = pytest.mark.browser
GIB = 1 << 30


@pytest.fixture
def page(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Two models of 6 GiB, on a GPU of 8."""
    folder = tmp_path_factory.mktemp("switching")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
    models = [scripted(name, folder, size_bytes=6 * GIB) for name in ("first", "second")]
    with served(models, folder, budget_bytes=8 * GIB) as page:
        yield page


def select(page: Page, title: str) -> None:
    page.get_by_role("tab", name=title).click()


def test_selecting_a_tab_wakes_its_model_and_the_other_sleeps(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    expect(status(browser)).to_contain_text("GPU 0: 6.0 of 8.0 GiB (first 6.0)")
    select(browser, "second in English")
    ready(browser)
    expect(status(browser)).to_contain_text("(second 6.0)")
    ask(browser, "/name")
    expect(answers(browser)).to_have_text(re.compile(r"^second\s*$"))
    select(browser, "first in English")
    ready(browser)
    ask(browser, "/held")
    expect(answers(browser)).to_have_text(re.compile(r"^2\s*$"))


def test_the_gpu_as_a_picture_is_small_until_it_is_opened(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url, width=390, height=844))
    summary, picture = browser.locator(".devices summary"), browser.locator(".devices .bar[role=img]")
    expect(summary).to_contain_text("GPU 0: models hold 6.0 of 8.0 GiB")
    expect(picture).not_to_be_visible()
    summary.focus()
    browser.keyboard.press("Enter")
    expect(picture).to_be_visible()
    expect(picture).to_have_attribute(
        "aria-label", re.compile(r"^first: 6.0 GiB, as planned \(weights .*\); Free: 2.0 GiB;")
    )
    page.manager.wake("second")
    expect(picture).to_have_attribute(
        "aria-label", re.compile("^first, asleep: 0.0 GiB, .*; second: 6.0 GiB")
    )
    expect(picture).to_be_visible()


def test_another_page_sees_a_model_go_to_sleep(page: Served, opened: Open) -> None:
    here, there = ready(opened(page.url)), ready(opened(page.url, locale="zh-CN"))
    select(here, "second in English")
    ready(here)
    expect(status(there)).to_contain_text("浅睡中，马上就能唤醒。")


def test_an_answer_is_finished_before_its_model_sleeps(page: Served, opened: Open) -> None:
    gate = page.gate("answered")
    here, there = ready(opened(page.url)), ready(opened(page.url))
    ask(here, f"begun\n/wait {gate}\nand finished")
    expect(answers(here)).to_contain_text("begun")
    select(there, "second in English")
    expect(status(there)).to_contain_text("Waiting for the answers of first")
    page.open(gate)
    expect(answers(here)).to_contain_text("begun and finished")
    ready(there)


@pytest.fixture
def four(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Four models of which the GPU holds one; each leaves a mark when its load begins, and the second's load
    waits at a gate."""
    folder = tmp_path_factory.mktemp("four")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
    loading = {name: f"/loaded {name}" for name in "abcd"}
    loading["b"] += "\n/wait gate"
    models = [scripted(name, folder, loading=loading[name], size_bytes=6 * GIB) for name in "abcd"]
    with served(models, folder, budget_bytes=8 * GIB) as page:
        page.gate("gate")
        yield page


def loads(page: Served) -> set[str]:
    return {name for name in "abcd" if (page.folder / name).exists()}


def test_clicking_through_tabs_loads_only_the_last_and_what_was_under_way(four: Served, opened: Open) -> None:
    browser = ready(opened(four.url))
    select(browser, "b in English")
    expect(status(browser)).to_contain_text("Loading")
    select(browser, "c in English")
    select(browser, "d in English")
    ready(browser)
    assert loads(four) <= {"a", "b", "d"}


def test_a_tab_that_was_passed_on_the_way_to_compare_is_not_loaded(four: Served, opened: Open) -> None:
    browser = ready(opened(four.url))
    ask(browser, "begun\n/stall")
    expect(answers(browser)).to_contain_text("begun")
    select(browser, "c in English")
    expect(status(browser)).to_contain_text("Waiting for the answers of a")
    select(browser, "Compare")
    wait_until(four.manager, lambda: four.manager.statuses()[2].state is ModelState.ASLEEP)
    assert loads(four) == {"a"}


def test_the_tab_that_is_shown_is_wished_for_though_word_of_an_earlier_one_comes_late(
    four: Served, opened: Open
) -> None:
    browser = ready(opened(four.url))
    ask(browser, "begun\n/stall")
    expect(answers(browser)).to_contain_text("begun")
    late: list[Route] = []

    def pass_on(route: Route) -> None:
        """All but the first, which is for the test."""
        if late:
            route.continue_()
        else:
            late.append(route)

    browser.route("**/launcher/show", pass_on)
    select(browser, "b in English")
    select(browser, "c in English")
    expect(browser.get_by_role("tab", name="c in English")).to_have_attribute("aria-selected", "true")
    with browser.expect_response(lambda response: response.url.endswith("/launcher/show")):
        late[0].continue_()
    expect(status(browser)).to_contain_text("Waiting for the answers of a")
    assert four.manager.statuses()[1].state is ModelState.ASLEEP


def test_a_closed_page_leaves_no_wish_behind(four: Served, opened: Open) -> None:
    mine, yours = ready(opened(four.url)), ready(opened(four.url))
    ask(yours, "begun\n/stall")
    expect(answers(yours)).to_contain_text("begun")
    select(mine, "c in English")
    expect(status(mine)).to_contain_text("Waiting for the answers of a")
    mine.context.close()
    wait_until(four.manager, lambda: four.manager.statuses()[2].state is ModelState.ASLEEP)
    assert loads(four) == {"a"}


def test_opening_the_page_sends_no_model_to_sleep(page: Served, opened: Open) -> None:
    here = ready(opened(page.url))
    select(here, "second in English")
    ready(here)
    there = opened(page.url)
    expect(status(there)).to_contain_text("Asleep, close at hand")
    assert page.manager.statuses()[1].state is ModelState.READY
    ask(there, "/held")
    expect(answers(there)).to_have_text(re.compile(r"^2\s*$"))


def test_a_sleeper_and_one_that_stands_by_can_be_unloaded(page: Served, opened: Open) -> None:
    here = ready(opened(page.url))
    wait_until(page.manager, lambda: page.manager.statuses()[1].process is ProcessState.STANDING_BY)
    select(here, "second in English")
    ready(here)
    there = opened(page.url)
    expect(status(there)).to_contain_text("Asleep, close at hand")
    unload = there.get_by_role("button", name="Unload").locator("visible=true")
    unload.click()
    expect(status(there)).to_have_text(re.compile("Asleep. It wakes with the first question."))
    expect(unload).to_have_count(0)
    assert page.manager.statuses()[0].process is ProcessState.NONE


def test_a_crash_stays_in_its_own_tab(page: Served, opened: Open) -> None:
    here = ready(opened(page.url))
    wait_until(page.manager, lambda: page.manager.statuses()[1].process is ProcessState.STANDING_BY)
    asleep = page.manager._processes.pids()["second"]
    os.kill(asleep, signal.SIGKILL)
    wait_until(page.manager, lambda: page.manager.statuses()[1].process is ProcessState.NONE)
    ask(here, "/name")
    expect(answers(here)).to_have_text(re.compile(r"^first\s*$"))
    select(here, "second in English")
    ready(here)
