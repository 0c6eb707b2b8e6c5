"""The screenshots of README and how-tos, taken anew.

    python -m tests.browser.screenshots [--to docs/pictures]      (or: make pictures)

Serves the page with the presets that are shipped, as on a machine without a GPU, and the built-in models
answer. Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from launcher.cli.page_order import page_order
from launcher.devices import Devices
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from tests.browser.conftest import FLAGS
from tests.browser.person import answers, ask, idle, ready
from tests.ui.scripted_page import served

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "launcher" / "demo" / "pictures" / "3-shapes.png"
WIDE, NARROW = (1280, 860), (390, 844)


def opened(browser: Browser, url: str, size: tuple[int, int] = WIDE, locale: str = "en-US") -> Page:
    width, height = size
    page = browser.new_context(locale=locale, viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(60_000)
    page.goto(url)
    page.locator("textarea:visible").first.wait_for()
    return page


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("tab", name=name, exact=True)


def add_picture(page: Page) -> None:
    page.locator(".question:visible input[type=file]").set_input_files(str(PICTURE))
    expect(page.locator(".thumbnail-item:visible")).to_have_count(1)


def asked(page: Page, *questions: str) -> Page:
    """A picture, and questions about it."""
    add_picture(ready(page))
    for number, question in enumerate(questions, 1):
        ask(page, question)
        expect(answers(page)).to_have_count(number)
        idle(page)
    return page


def conversation(browser: Browser, url: str) -> Page:
    return asked(opened(browser, url), "Describe the image.")


def conversation_on_a_phone(browser: Browser, url: str) -> Page:
    return asked(opened(browser, url, NARROW, "zh-CN"), "描述这张图片。")


def comparison(browser: Browser, url: str) -> Page:
    page = opened(browser, url)
    tab(page, "Compare").click()
    add_picture(page)
    ask(page, "Describe the image.")
    expect(answers(page)).to_have_count(2)
    idle(page)
    return page


def missing_model(browser: Browser, url: str) -> Page:
    page = opened(browser, url)
    tab(page, "InternVL2 2B").click()
    expect(page.get_by_role("button", name="Download").first).to_be_visible()
    return page


def as_the_model_saw_it(browser: Browser, url: str) -> Page:
    page = asked(opened(browser, url), "How many shapes are there?")
    page.locator(".talk button.picture").first.click()
    expect(page.locator("dialog.seen img").first).to_be_visible()
    return page


PICTURES: dict[str, Callable[[Browser, str], Page]] = {
    "page": conversation,
    "phone-zh": conversation_on_a_phone,
    "compare": comparison,
    "fetch": missing_model,
    "seen": as_the_model_saw_it,
}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that is on this machine."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        sys.exit("Chromium is not on this machine; on Debian, type: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def shipped_page() -> Iterator[str]:
    """The address of a page with all presets that are shipped, on a machine without a GPU."""
    no_gpu, installed = Devices(gpus=(), ram_total_bytes=2**34, ram_free_bytes=2**33), installed_engines()
    models = page_order([assess(preset, no_gpu, installed) for preset in read_presets().presets])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "uploads")
        with served(models, Path(folder), downloads=True) as page:
            yield page.url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("names", nargs="*", choices=[[], *PICTURES], help="these alone")
    arguments = parser.parse_args()
    with shipped_page() as url, chromium() as browser:
        for name in arguments.names or PICTURES:
            page = PICTURES[name](browser, url)
            page.mouse.move(0, 0)
            page.screenshot(path=arguments.to / f"{name}.png", animations="disabled")
            print(arguments.to / f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
