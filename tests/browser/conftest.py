"""Headless Chromium, and pages that fail their test when they log an error or ask anything of another
host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from launcher.errors import CheckpointError, PresetError
from launcher.readiness import Readiness, ReadyState
from tests.lacking import lacking
from tests.ui.scripted_page import Served, scripted, served

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

TELEPHONE = {
    "width": 390,
    "height": 664,
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 3,
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
}
"""As an iPhone is to Chromium: its window, its touches and what it calls itself; not its engine."""

Open = Callable[..., Page]

expect.set_options(timeout=60_000)  # a bound on waiting, not a measure: the machine may be busy


@pytest.fixture(scope="module")  # not longer: while Playwright runs, no test may run a loop of its own
def chromium() -> Iterator[Browser]:
    # The shell alone where it is there: without a window's own pages, each page costs half.
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        lacking("no chromium on this machine", "test the page in a browser: install Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two models that play scripts, one that is not on this machine, and a preset file that is wrong."""
    folder = tmp_path_factory.mktemp("page")
    example = draw(folder / "example.png")
    examples = ({"question": {"en": "An example", "zh": "一个例子"}, "pictures": (example,)},)
    missing = scripted("missing", folder).preset
    reason = CheckpointError(
        "There is no file {name}", hint="Type: {command}", name="${HOME}'s", command="hf download x"
    )
    models = [
        scripted("pictures", folder, examples=examples, generation={"max_new_tokens": 32768}),
        scripted("words", folder, kind="text"),
        Readiness(missing, ReadyState.NEEDS_DOWNLOAD, reason=reason, command="hf download x"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served(models, folder, [PresetError("wrong.yaml:3: engine: 'fast' is not an engine")]) as page:
            yield page


class Profiles:
    """Browser profiles, each for one page at a time. An earlier page's is emptied and used again: all that
    the next page finds are Gradio's scripts, fetched and compiled, a third of what opening a page costs."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = {}

    def open(self, locale: str, **device: Any) -> Page:
        """An empty page in a profile that holds nothing of another; of a device, in a new one."""
        if not device and (free := self._free.get(locale)):
            page = free.pop().new_page()
            _forget_all(page)
            return page
        profile = self._browser.new_context(locale=locale, **device)
        profile.grant_permissions(["clipboard-read", "clipboard-write"])
        return profile.new_page()

    def close(self, page: Page, locale: str | None) -> None:
        """Closes a page; its profile is for the next one of this language, unless the test closed it. A
        device's has no language: nothing of it is used again."""
        if locale is None:
            page.context.close()
        elif not page.is_closed():
            page.close()
            self._free.setdefault(locale, []).append(page.context)


def _forget_all(page: Page) -> None:
    """Deletes all that any address has stored in the page's profile, and every cookie."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    devtools.detach()
    page.context.clear_cookies()


@pytest.fixture(scope="module")
def profiles(chromium: Browser) -> Profiles:
    return Profiles(chromium)


@pytest.fixture
def opened(profiles: Profiles) -> Iterator[Open]:
    """Opens an address in a browser profile that has nothing of any page; afterwards there must have been no
    error, but for one that the page may log, and no request to elsewhere."""
    faults: list[str] = []
    pages: list[tuple[Page, str | None]] = []

    def open_page(
        url: str,
        locale: str = "en-US",
        width: int = 1280,
        height: int = 860,
        may_log: str = "\0",
        **device: Any,
    ) -> Page:
        def log(message: ConsoleMessage) -> None:
            if message.type == "error" and may_log not in message.text:
                faults.append(message.text)

        page = profiles.open(locale, **device)
        pages.append((page, None if device else locale))
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(60_000)
        page.on("console", log)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if is_local(request.url, url) else faults.append(request.url))
        page.goto(url)
        page.locator("textarea:visible").first.wait_for()
        return page

    yield open_page
    for page, language in pages:
        profiles.close(page, language)
    assert not faults


def is_local(address: str, url: str) -> bool:
    return address.startswith((url, "data:", "blob:"))


def draw(path: Path) -> Path:
    """A red circle and a blue square on white."""
    picture = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((30, 30, 110, 110), fill="red")
    pen.rectangle((200, 130, 270, 200), fill="blue")
    picture.save(path)
    return path
