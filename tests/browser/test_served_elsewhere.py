"""``serve`` as a process of its own, started in a folder that has nothing to do with it, for presets that
have pictures of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from launcher.presets import read_presets
from tests.browser.conftest import Open
from tests.browser.person import answers, box, idle, questions, ready
from tests.free_port import free_port

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).parents[2]
CHANGED = {"name: shapes-internvl2": "name: mine", "['builtin:2-shapes.png']": "['mine.png']"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Neither the folder it is started in nor the temporary folder holds the preset."""
    folder, elsewhere, temporary = (tmp_path_factory.mktemp(name) for name in ("own", "elsewhere", "tmp"))
    source = read_presets().find("shapes-internvl2")
    shutil.copy(source.examples[0].pictures[0], folder / "mine.png")
    text = (REPOSITORY / "presets" / "shapes-internvl2.yaml").read_text("utf-8")
    for old, new in CHANGED.items():
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "own-picture.yaml").write_text(text, "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "launcher", "serve", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)}
    with (elsewhere / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--presets", str(folder)], cwd=elsewhere, env=environment, stdout=log, stderr=log
        )
        address = f"http://127.0.0.1:{port}"
        try:
            while not is_served(address):
                assert process.poll() is None, (elsewhere / "log").read_text()
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def is_served(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("locale", "first", "answer"),
    [
        ("en-US", "What colour is the star?", "Red."),
        ("zh-CN", "星形是什么颜色？", "红色。"),
    ],
)
def test_examples_with_pictures_of_their_own(
    url: str, opened: Open, locale: str, first: str, answer: str
) -> None:
    browser = ready(opened(url, locale=locale))
    example = browser.get_by_role("button", name=first)
    expect(example.locator("img")).to_have_js_property("complete", True)
    assert example.locator("img").evaluate("image => image.naturalWidth") > 0
    example.click()
    expect(answers(browser)).to_contain_text(answer)
    idle(browser)
    assert questions(browser).locator("img").evaluate("image => image.naturalWidth") > 0
    browser.get_by_role("button", name=("Undo" if locale == "en-US" else "撤销")).click()
    expect(box(browser)).to_have_value(first)
    thumbnail = browser.locator(".thumbnail-item:visible img")
    expect(thumbnail).to_have_js_property("complete", True)
    assert thumbnail.evaluate("image => image.naturalWidth") > 0
    box(browser).press("Enter")
    expect(answers(browser)).to_contain_text(answer)
