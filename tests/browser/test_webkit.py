"""The page in WebKit, the engine of Safari and of every browser on an iPhone. Chromium's tests show what the
page does in detail; here is one visit with the things that engines do differently."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.common import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Remote
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from tests.browser.conftest import draw
from tests.lacking import lacking
from tests.ui.scripted_page import Served

pytestmark = pytest.mark.browser
WAIT_S = 60  # a bound, not a measure: the machine may be busy


@contextmanager
def screen() -> Iterator[str]:
    """A display that nobody sees; WebKitGTK has no other way without one."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as number:
                yield f":{number.readline().strip()}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def webkit() -> Iterator[Remote]:
    driver = shutil.which("WebKitWebDriver")
    programs = sorted(Path("/usr/lib").glob("*/webkit*gtk-*/MiniBrowser"))
    if driver is None or not programs or not shutil.which("Xvfb"):
        lacking(
            "no WebKitWebDriver, or no Xvfb, on this machine",
            "test the page in WebKit: install webkit2gtk-driver and xvfb",
        )
    options = Options()
    options.binary_location = str(programs[-1])
    options.add_argument("--automation")
    with screen() as display:
        service = Service(driver, env={**os.environ, "DISPLAY": display})
        service.start()
        try:
            way = RemoteConnection(client_config=ClientConfig(service.service_url))
            with Remote(way, options=options, file_detector=UselessFileDetector()) as browser:
                browser.set_window_size(1200, 900)
                yield browser
        finally:
            service.stop()


class Visit:
    """What a person does on the page and sees of it."""

    def __init__(self, browser: Remote, url: str) -> None:
        self.browser = browser
        browser.get(url)
        self.wait_until(lambda: self.seen(".status.ready"))

    def wait_until(self, true: Callable[[], object]) -> None:
        redrawn = [StaleElementReferenceException]  # between one look at it and the next
        try:
            WebDriverWait(self.browser, WAIT_S, ignored_exceptions=redrawn).until(lambda _: true())
        except TimeoutException:
            shown = self.browser.find_element(By.TAG_NAME, "body").text
            pytest.fail(f"not within {WAIT_S} s; the page shows:\n{shown}")

    def seen(self, selector: str) -> list[WebElement]:
        return [each for each in self.browser.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]

    def upload(self, picture: Path) -> None:
        self.browser.find_elements(By.CSS_SELECTOR, "input[type=file]")[0].send_keys(str(picture))
        self.wait_until(lambda: self.seen(".thumbnail-item"))

    def ask(self, text: str) -> str:
        """The answer, whole."""
        before = len(self.answers())
        (box, *_) = self.seen("textarea[data-testid=textbox]")
        box.send_keys(text, Keys.ENTER)
        self.wait_until(lambda: len(self.answers()) > before and self.seen("button.submit-button"))
        return self.answers()[-1]

    def answers(self) -> list[str]:
        return [each.text for each in self.seen("[data-testid=bot]")]

    def select(self, tab: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, f"[role=tab][data-tab-id={tab}]").click()
        self.wait_until(lambda: self.seen(".status.ready"))

    def shows_the_end(self) -> bool:
        """Of a conversation that is longer than its part of the page."""
        return bool(
            self.browser.execute_script(
                "const shown = [...document.querySelectorAll('.bubble-wrap')].find((e) => e.offsetParent);"
                "const { scrollHeight, scrollTop, clientHeight } = shown;"
                "return scrollHeight > clientHeight && scrollHeight - scrollTop - clientHeight < 2;"
            )
        )


def test_a_visit(webkit: Remote, page: Served, tmp_path: Path) -> None:
    visit = Visit(webkit, page.url)
    visit.upload(draw(tmp_path / "seen.png"))
    assert visit.ask("/say 3") == "[seen.png] 0 1 2"
    assert visit.ask("/say 1500").endswith("1499")
    visit.wait_until(visit.shows_the_end)
    visit.select("words")
    assert visit.ask("/name") == "words"
    visit.select("pictures")
    visit.wait_until(visit.shows_the_end)
    webkit.refresh()
    visit.wait_until(lambda: len(visit.answers()) == 2)
    visit.wait_until(visit.shows_the_end)
