"""What a person does on the page and sees of it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect


def box(page: Page) -> Locator:
    return page.locator("textarea[data-testid=textbox]:visible").first


def ask(page: Page, text: str) -> None:
    box(page).fill(text)
    box(page).press("Enter")


def questions(page: Page) -> Locator:
    return page.locator("[data-testid=user]:visible")


def answers(page: Page) -> Locator:
    return page.locator("[data-testid=bot]:visible")


def status(page: Page) -> Locator:
    return page.locator(".status:visible")


def cost(page: Page) -> Locator:
    return page.locator(".cost:visible")


def trouble(page: Page) -> Locator:
    """What went wrong, and what to do."""
    return page.locator(".trouble:visible")


def idle(page: Page) -> None:
    """Waits until nothing is answered."""
    expect(page.locator("button.submit-button:visible")).to_be_visible()
    expect(page.locator("button.stop-button:visible")).to_have_count(0)


def stop(page: Page) -> None:
    """In one step: an answer that streams into a slow browser leaves little room for a pointer's journey."""
    page.locator("button.stop-button:visible").dispatch_event("click")


def slow_down(page: Page, times: int) -> None:
    """The browser's processor, as it were."""
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": times})


def slow_network(page: Page) -> None:
    """From now on 50 kB/s each way and 400 ms to and fro, as on a phone far from a mast."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    speed = {"downloadThroughput": 50_000, "uploadThroughput": 50_000, "latency": 400}
    session.send("Network.emulateNetworkConditions", {"offline": False, **speed})


def ready(page: Page) -> Page:
    expect(status(page)).to_have_class(re.compile("ready"))
    return page


def all_built(page: Page) -> None:
    """Waits until every tab is there, also those that nobody has selected yet."""
    page.wait_for_function(
        "[...document.querySelectorAll('[role=tabpanel]')].every((tab) => tab.querySelector('.block'))"
    )


def upload(page: Page, *files: Path) -> None:
    page.locator("input[type=file]").first.set_input_files([str(file) for file in files])
    expect(page.locator(".thumbnail-item:visible")).to_have_count(len(files))


def pictures_before(page: Page) -> str:
    """From which number the box's pictures count on."""
    shown = page.locator(".question:visible")
    return shown.evaluate("e => getComputedStyle(e).getPropertyValue('--pictures-before').trim()")  # type: ignore[no-any-return]


def boxes(*elements: Locator) -> list[dict[str, float]]:
    """Where each stands (x, y, width, height), all at one moment: while a page is laid out, or scrolls, one
    measured after another has moved."""
    handles = [element.element_handle() for element in elements]
    found: list[dict[str, float]] = elements[0].page.evaluate(
        "(all) => all.map((each) => each.getBoundingClientRect().toJSON())", handles
    )
    return found
