"""The built-in model on the page: the answers are right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from launcher.devices import Devices
from launcher.presets import read_presets
from launcher.readiness import ReadyState, assess, installed_engines
from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask, ready, upload
from tests.ui.scripted_page import Served, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    no_gpu = Devices(gpus=(), ram_total_bytes=2**34, ram_free_bytes=2**33)
    readiness = assess(read_presets().find("shapes-internvl2"), no_gpu, installed_engines())
    assert readiness.state is ReadyState.READY
    folder = tmp_path_factory.mktemp("shapes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served([readiness], folder) as page:
            page.manager.ensure_ready("shapes-internvl2")
            yield page


@pytest.mark.parametrize(
    ("locale", "turns"),
    [
        ("en-US", [("What colour is the circle?", "Red."), ("How many shapes are there?", "Two.")]),
        ("zh-CN", [("正方形是什么颜色？", "蓝色。"), ("图中有几个形状？", "两个。")]),
    ],
)
def test_questions_about_a_picture(
    shapes: Served, opened: Open, tmp_path: Path, locale: str, turns: list[tuple[str, str]]
) -> None:
    browser = ready(opened(shapes.url, locale=locale))
    upload(browser, draw(tmp_path / "shapes.png"))
    for number, (question, answer) in enumerate(turns):
        ask(browser, question)
        expect(answers(browser).nth(number)).to_have_text(
            re.compile(rf"^\s*{re.escape(answer)}\s*$"), timeout=30_000
        )


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_an_example_gets_an_answer(shapes: Served, opened: Open, locale: str) -> None:
    browser = ready(opened(shapes.url, locale=locale))
    examples = browser.get_by_role("button", name=re.compile("example"))
    expect(examples.first).to_be_visible()
    examples.first.click()
    expect(answers(browser)).to_have_text(re.compile(r"\S"), timeout=30_000)
