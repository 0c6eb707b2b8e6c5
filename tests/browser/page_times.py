"""How long the page takes to be usable with all shipped presets, a tab from a click to its sight, and the
page over a slow network.

    python -m tests.browser.page_times
    python -m tests.browser.page_times URL …

Prints a line of JSON each, without the slow network for pages that are served already: so one from before a
change and one from after it, named in turns, are compared on a busy machine. A page is usable when its first
question box is seen; long tasks after that are the building of the other tabs, and the processor time of the
three that took most of it says what they cost, whatever else runs. A tab's time is from the click to the
second frame after it, by the page's own clock; beside it stands the processor time of the page's thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import ExitStack

from playwright.sync_api import Browser, CDPSession, Locator, expect

from tests.browser.person import answers, ask, idle, ready, slow_network
from tests.browser.screenshots import WIDE, chromium, shipped_page

ROUNDS = 5
_SWITCH_MS = """async (tab) => {
    const begun = performance.now();
    tab.click();
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
    return performance.now() - begun;
}"""


_WATCH = """
    window.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries())).observe({ type: "longtask" });
    const look = () => {
        const isSeen = document.querySelector("textarea")?.offsetParent;
        if (isSeen) window.usable = performance.mark("usable").startTime;
        else requestAnimationFrame(look);
    };
    look();
"""
_OPENED = """() => ({
    usable_ms: Math.round(usable),
    long_tasks_ms: longTasks.filter((task) => task.startTime > usable).map((task) => task.duration),
    heap_mb: performance.memory.usedJSHeapSize / 1e6,
    elements: document.querySelectorAll("*").length,
})"""
_TRACED = ["disabled-by-default-devtools.timeline", "blink.user_timing"]
"""What Chromium has to note for the tasks of the page's thread, and our mark among them."""

REST_S = 6.0
"""In which a page builds its tabs, where it does so before they are selected."""


def cpu_ms(session: CDPSession) -> float:
    """Processor time of the page's thread so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(1000 * each["value"] for each in metrics if each["name"] == "TaskDuration")


def most_cpu_ms(trace: bytes) -> list[int]:
    """Processor time of the three tasks of the page's thread that took most, once the page was usable."""
    events = json.loads(trace)["traceEvents"]
    usable = next(each for each in events if each["name"] == "usable")
    thread = [each for each in events if (each["pid"], each["tid"]) == (usable["pid"], usable["tid"])]
    tasks = [each for each in thread if each["name"] == "RunTask" and each["ts"] > usable["ts"]]
    return sorted((round(each.get("tdur", 0) / 1000) for each in tasks), reverse=True)[:3]


def switched(tab: Locator, session: CDPSession) -> tuple[float, float]:
    """Milliseconds until the tab is seen, and of processor time."""
    before = cpu_ms(session)
    seen_ms = tab.evaluate(_SWITCH_MS)
    return seen_ms, cpu_ms(session) - before


def tab_switches(browser: Browser, url: str) -> None:
    width, height = WIDE
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(60_000)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.add_init_script(_WATCH)
    browser.start_tracing(page=page, categories=_TRACED)
    page.goto(url)
    page.wait_for_function("window.usable")
    usable_cpu_ms = cpu_ms(session)
    ready(page)
    time.sleep(REST_S)
    most = most_cpu_ms(browser.stop_tracing())
    opened = {"cpu_ms": round(usable_cpu_ms), **page.evaluate(_OPENED), "most_cpu_ms": most}
    print(json.dumps({"opened": opened}))
    tabs = page.get_by_role("tablist").first.get_by_role("tab").all()
    first, *again = ({tab.text_content(): switched(tab, session) for tab in tabs} for _ in range(ROUNDS))
    later = [seen_ms for visit in again for seen_ms, _ in visit.values()]
    rounded = {name: [round(seen_ms), round(cpu)] for name, (seen_ms, cpu) in first.items()}
    print(json.dumps({"first_visit_ms_and_cpu_ms": rounded}))
    print(json.dumps({"later_median_ms": statistics.median(later), "later_slowest_ms": max(later)}))
    page.context.close()


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", nargs="*", metavar="URL")
    urls = parser.parse_args().urls
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        for url in urls or [stack.enter_context(shipped_page())]:
            print(json.dumps({"url": url}))
            tab_switches(browser, url)
            if not urls:
                over_a_slow_network(browser, url)


if __name__ == "__main__":
    main()
