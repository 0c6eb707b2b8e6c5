"""Models downloaded through the page from a hub that is played: cut, cancelled, refused, by two people at
once, until a question is answered in the very tab."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from launcher.presets import Preset, read_presets
from launcher.readiness import Readiness, assess, installed_engines
from tests.browser.axe import found
from tests.browser.conftest import Open, draw
from tests.browser.person import answers, ask
from tests.downloads.hub import PlayedHub, played_hub
from tests.ui.scripted_page import NO_GPU, Served, scripted, served

pytestmark = pytest.mark.browser

WEIGHTS = "model.safetensors"
CHECKPOINTS = Path(__file__).parents[2] / "launcher" / "demo" / "checkpoints"
SMALL = ("cut", "halted", "full")
"""Models that are the built-in chat model, one for each test."""


@dataclass
class Fetching:
    """The page, its hub, and where models go."""

    page: Served
    hub: PlayedHub
    models: Path


def files_of(checkpoint: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (CHECKPOINTS / checkpoint).iterdir() if path.is_file()}


def absent(name: str, like: str, *sources: str) -> Readiness:
    known = read_presets().find(like).model_dump()
    preset = Preset.model_validate({**known, "name": name, "title": name, "sources": sources})
    return assess(preset, NO_GPU, installed_engines())


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetching]:
    folder = tmp_path_factory.mktemp("fetching")
    small = [absent(name, "tiny-chat", f"modelscope:org/{name}") for name in SMALL]
    shapes = absent("shapes", "shapes-internvl2", "modelscope:org/shapes")
    with pytest.MonkeyPatch.context() as patch, played_hub() as hub:
        hub.models = {f"org/{name}": files_of("tiny-chat") for name in SMALL}
        hub.models["org/shapes"] = files_of("shapes-internvl2")
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        patch.setenv("MODELSCOPE_DOMAIN", hub.endpoint)
        patch.setenv("MODELSCOPE_CACHE", str(folder / "models"))
        patch.setattr("launcher.downloads.transfer.PAUSE_S", 0.0)
        with served([scripted("words", folder), *small, shapes], folder, downloads=True) as page:
            yield Fetching(page, hub, folder / "models" / "models" / "org")


def tab(page: Page, name: str) -> Page:
    page.get_by_role("tab", name=name, exact=True).click()
    return page


def heading(page: Page) -> Locator:
    return page.locator(".fetch:visible h2")


def button(page: Page, name: str) -> Locator:
    return page.locator(".fetch:visible").get_by_role("button", name=name, exact=True)


def room(page: Page) -> Locator:
    return page.locator(".fetch:visible p")


def chat(page: Page) -> Locator:
    """The tab's question box, once it is a chat."""
    return page.locator("textarea[data-testid=textbox]:visible")


def few(page: Page) -> Locator:
    """What Compare says where fewer than two models are here."""
    return page.locator("#few")


@pytest.mark.parametrize(
    ("locale", "compare", "told"),
    [("en-US", "Compare", "Comparing takes two models"), ("zh-CN", "对比", "对比至少需要两个")],
)
def test_one_model_alone_is_here_to_compare(
    fetching: Fetching, opened: Open, locale: str, compare: str, told: str
) -> None:
    page = tab(opened(fetching.page.url, locale=locale, width=390), compare)
    expect(few(page)).to_contain_text(told)
    expect(page.get_by_role("checkbox")).to_have_count(1)
    ask(page, "anyone?")
    expect(answers(page)).to_have_text(re.compile("anyone"))


def test_two_people_press_at_once_and_ask_without_a_restart(
    fetching: Fetching, opened: Open, tmp_path: Path
) -> None:
    hub, page = fetching.hub, fetching.page
    first, second = tab(opened(page.url), "shapes"), tab(opened(page.url, locale="zh-CN"), "shapes")
    expect(heading(first)).to_have_text("This model is not on this machine")
    expect(heading(second)).to_have_text("本机没有这个模型")
    expect(chat(first)).to_have_count(0)
    assert found(second) == []
    hub.held = WEIGHTS
    pressed = {"page": "another0", "tab": "shapes"}
    with httpx.Client(base_url=page.url, trust_env=False, timeout=60) as other:
        assert other.post("/launcher/fetch", json=pressed).status_code == 204
        button(first, "Download").or_(button(first, "Cancel")).wait_for()
        assert other.post("/launcher/fetch", json=pressed).status_code == 204
    expect(heading(first)).to_have_text("Downloading from ModelScope")
    expect(heading(second)).to_have_text("正在从 ModelScope 下载")
    expect(first.locator(".fetch:visible .how")).to_have_text(re.compile(r"^\d\.\d\sMB of 4\.\d\sMB · \d+ %"))
    expect(second.locator(".fetch:visible progress")).to_have_attribute("aria-label", "shapes 的下载进度")
    assert found(first) == []
    hub.held = ""
    hub.go_on.set()
    for person, question, answer in (
        (first, "What colour is the circle?", "Red."),
        (second, "正方形是什么颜色？", "蓝色。"),
    ):
        expect(chat(person)).to_be_visible()
        expect(heading(person)).to_have_count(0)
        person.locator("#box-shapes input[type=file]").set_input_files(draw(tmp_path / "shapes.png"))
        expect(person.locator(".thumbnail-item:visible")).to_have_count(1)
        ask(person, question)
        expect(answers(person)).to_have_text(re.compile(rf"^\s*{re.escape(answer)}\s*$"))
    assert hub.ranges_of(WEIGHTS) == [""]
    models = httpx.get(f"{page.url}/v1/models", trust_env=False, timeout=60).json()["data"]
    assert "shapes" in [model["id"] for model in models]
    tab(first, "Compare")
    expect(few(first)).to_be_hidden()
    expect(first.get_by_role("checkbox", name="shapes", exact=True)).to_be_visible()
    expect(first.get_by_role("checkbox", name="full", exact=True)).to_have_count(0)
    late = tab(opened(page.url), "shapes")
    expect(chat(late)).to_be_visible()
    late.get_by_text("Advanced").locator("visible=true").click()
    expect(late.locator(".facts:visible").first).to_have_text("shapes · transformers on cpu")


def test_a_download_that_is_cut_says_so_and_goes_on(fetching: Fetching, opened: Open) -> None:
    hub = fetching.hub
    hub.fetched.clear()
    hub.cuts[WEIGHTS] = [1_000_000, 0, 0, 0, 0]
    page = tab(opened(fetching.page.url), "cut")
    button(page, "Download").click()
    expect(heading(page)).to_have_text("The download stopped")
    said = page.locator(".fetch:visible")
    expect(said).to_contain_text(f"The download of {WEIGHTS} stopped at 1000000 of ")
    expect(said).to_contain_text("bytes: the connection was cut off (")
    expect(said).to_contain_text("Press Resume: it goes on from there.")
    expect(button(page, "Resume")).to_be_focused()
    assert found(page) == []
    page.keyboard.press("Enter")
    expect(chat(page)).to_be_focused()
    assert hub.ranges_of(WEIGHTS)[-1] == "bytes=1000000-"


def test_cancel_is_for_everyone_and_what_has_come_is_kept(fetching: Fetching, opened: Open) -> None:
    hub = fetching.hub
    hub.fetched.clear()
    hub.go_on.clear()
    hub.half_sent.clear()
    hub.held = WEIGHTS
    first, second = (tab(opened(fetching.page.url), "halted") for _ in range(2))
    button(first, "Download").click()
    expect(second.locator(".fetch:visible")).to_contain_text("Cancel ends it for all.")
    expect(second.locator(".fetch:visible .how")).to_contain_text("MB of")
    assert hub.half_sent.wait(60)
    button(second, "Cancel").click()
    for person in (first, second):
        expect(heading(person)).to_have_text("The download was cancelled")
        expect(room(person).first).to_contain_text("are here, and are kept.")
    assert found(first) == []
    hub.held = ""
    button(first, "Resume").click()
    hub.go_on.set()
    for person in (first, second):
        expect(chat(person)).to_be_visible()
    begun, gone_on = hub.ranges_of(WEIGHTS)
    assert (begun, gone_on[:6]) == ("", "bytes=")


def test_a_disk_that_is_full(fetching: Fetching, opened: Open) -> None:
    """The system's own device for that stands where the part-file would be."""
    page = tab(opened(fetching.page.url, locale="zh-CN"), "full")
    folder = fetching.models / "full"
    folder.mkdir(parents=True)
    part = part_of(folder, files_of("tiny-chat")[WEIGHTS])
    part.symlink_to("/dev/full")
    button(page, "下载").click()
    expect(heading(page)).to_have_text("下载已停止")
    expect(page.locator(".fetch:visible")).to_contain_text(f"{folder} 所在的磁盘已满")
    expect(page.locator(".fetch:visible")).to_contain_text(
        "请腾出空间，然后点“继续下载”：会从停下的地方继续。"
    )
    part.unlink()
    button(page, "继续下载").click()
    expect(chat(page)).to_be_visible()


def part_of(folder: Path, content: bytes) -> Path:
    return folder / f"{WEIGHTS}.{hashlib.sha256(content).hexdigest()[:12]}.part"
