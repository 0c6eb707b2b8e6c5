"""A tab whose model is on a server, from what a person does on the page to what the engine behind that server
was asked; and its stop button to that engine's stop."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.api.test_remote_tab import remote
from tests.browser.conftest import Open, draw
from tests.browser.test_asked import advanced, number_box, system_box
from tests.browser.test_page import answers, ask, ready, upload
from tests.ui.asked import OPTIONS, read_request
from tests.ui.scripted_page import Served, scripted, served
from tests.workers.stage import status, wait_until

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Both:
    """The page, and the launcher that its tab's model is on."""

    here: Served
    there: Served


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    far, near = tmp_path_factory.mktemp("far"), tmp_path_factory.mktemp("near")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(near / "uploads"))
        own = {name: value for name, value in OPTIONS.items() if name != "seed"}
        with served([scripted("talker", far, loading="the server's own prompt")], far) as there:
            chat = {"system_prompt": "Be kind.\nAnd brief."}
            model = remote("remote", there.url, "talker", chat=chat, generation=own)
            with served([model], near) as here:
                yield Both(here, there)


def answered(page: Page) -> None:
    expect(page.locator("button.submit-button:visible")).to_be_visible()


def test_a_question_arrives_with_all_that_belongs_to_it(both: Both, opened: Open, tmp_path: Path) -> None:
    page = opened(both.here.url)
    advanced(ready(page))
    expect(page.locator("p.status:visible")).to_have_text("Ready, on its server.")
    expect(page.locator(".facts:visible")).to_contain_text("Questions and pictures go to that server.")
    system_box(page).fill("你好 <b> 🦊")
    number_box(page, "Seed").fill("12345")
    number_box(page, "Seed").press("Tab")
    picture = draw(tmp_path / "red.png")
    upload(page, picture)
    expect(system_box(page)).to_have_value("你好 <b> 🦊")  # once, on a busy machine, the preset's was sent
    gate = both.there.gate("gate")
    ask(page, f"first *x*\n/wait {gate}")
    expect(answers(page)).to_contain_text("first")
    (arrived,) = both.there.folder.glob("request-*/picture-1")
    with Image.open(io.BytesIO(arrived.read_bytes())) as found, Image.open(picture) as sent:
        assert (found.size, found.tobytes()) == (sent.size, sent.tobytes())
    both.there.open(gate)
    answered(page)
    ask(page, "/asked")
    expect(answers(page).locator("code")).to_have_count(1)
    answered(page)
    request = read_request(answers(page).locator("code").last.text_content() or "")
    assert request["options"] == {**OPTIONS, "seed": 12345}
    assert request["messages"] == [
        ("system", "你好 <b> 🦊"),
        ("user", f"first *x*\n/wait {gate}", "picture-1"),
        ("assistant", "[picture-1] first *x* "),
        ("user", "/asked"),
    ]


def test_an_emptied_system_prompt_is_none_there_either(both: Both, opened: Open) -> None:
    page = opened(both.here.url)
    advanced(ready(page))
    system_box(page).fill(" ")
    ask(page, "/asked")
    expect(answers(page).locator("code")).to_have_count(1)
    request = read_request(answers(page).locator("code").text_content() or "")
    assert request["messages"] == [("user", "/asked")]


def test_the_stop_button_stops_the_engine_there(both: Both, opened: Open) -> None:
    page = ready(opened(both.here.url))
    ask(page, "/endless")
    wait_until(both.there.manager, lambda: status(both.there.manager, "talker").running == 1)
    expect(answers(page)).to_contain_text("3")
    page.locator("button.stop-button:visible").click()
    wait_until(both.there.manager, lambda: status(both.there.manager, "talker").running == 0)
    answered(page)
