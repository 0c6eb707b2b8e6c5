"""How long a tab takes from a click to its sight with all shipped presets, and how long the page
takes over a slow network.

    python -m tests.browser.page_times

Prints a line of JSON each. A tab's time is from the click to the second frame after it, in the page's own
clock.
"""

from __future__ import annotations

import json
import statistics
import time

from playwright.sync_api import Browser, expect

from tests.browser.person import answers, ask, idle, ready, slow_network
from tests.browser.screenshots import WIDE, chromium, opened, shipped_page

ROUNDS = 5
_SWITCH_MS = """async (tab) => {
    const begun = performance.now();
    tab.click();
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
    return performance.now() - begun;
}"""


def tab_switches(browser: Browser, url: str) -> None:
    page = ready(opened(browser, url))
    tabs = page.get_by_role("tablist").first.get_by_role("tab").all()
    first, *again = ({tab.text_content(): tab.evaluate(_SWITCH_MS) for tab in tabs} for _ in range(ROUNDS))
    later = [each for visit in again for each in visit.values()]
    print(json.dumps({"first_visit_ms": {name: round(each) for name, each in first.items()}}))
    print(json.dumps({"later_median_ms": statistics.median(later), "later_slowest_ms": max(later)}))


def over_a_slow_network(browser: Browser, url: str) -> None:
    width, height = WIDE
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(300_000)
    slow_network(page)
    begun_s = time.monotonic()
    page.goto(url)
    page.locator("textarea:visible").first.wait_for()
    up_s = time.monotonic() - begun_s
    loaded = page.evaluate("performance.getEntriesByType('resource').reduce((s, e) => s + e.transferSize, 0)")
    begun_s = time.monotonic()
    ask(page, "Hello")
    expect(answers(page)).to_have_count(1, timeout=60_000)
    idle(page)
    answer_s = time.monotonic() - begun_s
    print(json.dumps({"page_up_s": up_s, "page_kb": loaded / 1000, "answer_s": answer_s}))


def main() -> None:
    with shipped_page() as url, chromium() as browser:
        tab_switches(browser, url)
        over_a_slow_network(browser, url)


if __name__ == "__main__":
    main()
