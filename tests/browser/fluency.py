"""How fluently a browser shows an answer: ``python -m tests.browser.fluency``.

A scripted model says 512 words at 500 a second, each its number, into an empty conversation and into one of
40 turns. Chromium tells of its long tasks, and each frame how far what is on the screen lags behind what the
model has said by then (the model's clock is the first word's, so the way of that word is not in it).
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.person import ask, idle, ready
from tests.scripted_engine import register
from tests.ui.scripted_page import scripted, served

RATE, WORDS, TURNS = 500, 512, 40

WATCH = """() => {
  window.longTasks = [];
  window.frames = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((each) => each.duration)))
    .observe({ type: "longtask" });
  const look = (now) => {
    const bubble = [...document.querySelectorAll("[data-testid=bot]")].at(-1);
    const shown = (bubble?.innerText.match(/\\d+/g) ?? []).length;
    window.frames.push([now, shown]);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def lags_ms(frames: list[tuple[float, int]]) -> list[float]:
    """By frame, how much later than the model the screen has its newest word."""
    begun = next(now for now, shown in frames if shown)
    return [now - begun - 1000 * shown / RATE for now, shown in frames if now >= begun and shown < WORDS]


def measure(page: Page, title: str) -> None:
    page.evaluate("window.longTasks.length = 0; window.frames.length = 0")
    ask(page, f"/pace {RATE} {WORDS}")
    page.wait_for_function(f"window.frames.at(-1)?.[1] === {WORDS}")
    idle(page)
    tasks = page.evaluate("window.longTasks")
    lags = lags_ms([frame for frame in page.evaluate("window.frames") if frame[1] <= WORDS])
    print(
        f"{title}: long tasks {len(tasks)}, longest {max(tasks, default=0):.0f} ms; the screen is behind by"
        f" {statistics.median(lags):.0f} ms (median), {max(lags):.0f} ms at most; {len(lags)} frames"
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    register()
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with served([scripted("model", folder)], folder) as server, sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=program, args=FLAGS).new_page()
        page.goto(server.url)
        ready(page)
        page.evaluate(WATCH)
        measure(page, "warm-up")
        page.get_by_role("button", name="Clear").click()
        measure(page, "empty conversation")
        for number in range(TURNS):
            ask(page, f"turn {number}")
            page.wait_for_function(f"document.querySelectorAll('[data-testid=bot]').length === {number + 2}")
            idle(page)
        measure(page, f"after {TURNS} turns")


if __name__ == "__main__":
    main()
