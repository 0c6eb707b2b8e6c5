"""Where things stand on the page, in a wide and a narrow window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

from launcher.cli.page_order import page_order
from launcher.devices import Devices
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from tests.browser.conftest import TELEPHONE, Open, draw
from tests.browser.person import all_built, answers, ask, box, boxes, cost, idle, ready, trouble, upload
from tests.ui.scripted_page import Served, served

pytestmark = pytest.mark.browser

COVERED = """() => {
    const controls = [...document.querySelectorAll("button, textarea, [role=tab]")].filter((each) => {
        const { top, bottom, left, right, width } = each.getBoundingClientRect();
        const isOnScreen = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
        const isMeant = !each.closest("[aria-hidden=true], .visually-hidden"); // copies that Gradio measures
        return width && isOnScreen && isMeant && each.checkVisibility({ visibilityProperty: true });
    });
    const isCovered = (control) => {
        const { left, top, width, height } = control.getBoundingClientRect();
        const seen = document.elementFromPoint(left + width / 2, top + height / 2);
        return !control.contains(seen) && !seen?.contains(control);
    };
    return controls.filter(isCovered).map((each) => each.ariaLabel || each.textContent);
}"""


COVERING = """() => {
    const box = document.querySelector('[id="box-@compare"]');
    const { left, top, width, height } = box.getBoundingClientRect();
    const points = [0.02, 0.1, 0.3, 0.6, 0.9].flatMap((x) => [0.1, 0.5, 0.9].map((y) => [x, y]));
    const seen = points.map(([x, y]) => document.elementFromPoint(left + x * width, top + y * height));
    return seen.filter((each) => !box.contains(each)).map((each) => each?.outerHTML.slice(0, 100));
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
@pytest.mark.parametrize(("locale", "clear"), [("en-US", "Clear"), ("zh-CN", "清空对话")])
def test_an_error_covers_nothing_that_can_be_clicked(
    page: Served, opened: Open, width: int, height: int, locale: str, clear: str
) -> None:
    browser = ready(opened(page.url, locale=locale, width=width, height=height))
    ask(browser, "first")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    ask(browser, "/fail " + "a long reason, " * 12)
    expect(trouble(browser)).to_be_in_viewport(ratio=1)
    expect(browser.locator("button.submit-button:visible")).to_be_in_viewport(ratio=1)
    assert browser.evaluate(COVERED) == []
    browser.get_by_role("button", name=clear).locator("visible=true").click()
    expect(answers(browser)).to_have_count(0)
    expect(trouble(browser)).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
def test_the_box_stays_where_it_is_whatever_comes_above_it(
    page: Served, opened: Open, tmp_path: Path, width: int, height: int
) -> None:
    browser = ready(opened(page.url, width=width, height=height))
    question = browser.locator(".question:visible")
    talk = browser.locator(".talk:visible .bubble-wrap")
    ends = "(each) => Math.round(each.getBoundingClientRect().bottom + scrollY)"
    before = question.evaluate(ends)

    def stands() -> None:
        assert question.evaluate(ends) == pytest.approx(before, abs=1)
        browser.wait_for_function(
            "(talk) => talk.scrollHeight - talk.scrollTop - talk.clientHeight < 2", arg=talk.element_handle()
        )

    upload(browser, draw(tmp_path / "seen.png"))
    stands()
    ask(browser, "/say 400")
    expect(cost(browser)).to_be_visible()
    idle(browser)
    stands()
    upload(browser, draw(tmp_path / "another.png"))
    stands()
    ask(browser, "/fail " + "a long reason, " * 8)
    expect(trouble(browser)).to_be_visible()
    stands()


@pytest.mark.parametrize(("width", "height"), [(1280, 480), (390, 844)])
def test_the_box_of_a_comparison_stays_in_sight(page: Served, opened: Open, width: int, height: int) -> None:
    browser = opened(page.url, width=width, height=height)
    browser.get_by_role("tab", name="Compare").click()
    box(browser).wait_for()
    ask(browser, "/say 30")
    expect(answers(browser)).to_have_count(2)
    idle(browser)
    assert browser.evaluate("document.documentElement.scrollHeight > innerHeight + 100")
    for y in (0, 10_000):
        browser.evaluate("(y) => scrollTo(0, y)", y)
        for control in (box(browser), browser.locator("button.submit-button:visible")):
            expect(control).to_be_in_viewport(ratio=1)
        assert browser.evaluate(COVERING) == []


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
def test_gradios_own_message_covers_nothing_that_can_be_clicked(
    page: Served, opened: Open, width: int, height: int
) -> None:
    browser = opened(page.url, width=width, height=height, may_log="Failed to load resource")
    browser.route("**/gradio_api/**", lambda route: route.abort())
    browser.reload()  # Gradio asks its server when the page opens, and never again
    expect(browser.locator(".toast-body")).to_contain_text("Connection to the server was lost")
    box(browser).wait_for()
    assert browser.evaluate(COVERED) == []
    browser.get_by_role("tab", name="words in English").click()
    box(browser).wait_for()
    assert browser.evaluate(COVERED) == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_an_empty_box_leaves_its_buttons_on_a_phone(page: Served, opened: Open, locale: str) -> None:
    browser = opened(page.url, locale=locale, width=390, height=844)
    submit, upload = (
        browser.locator(f".question:visible [data-testid={name}-button]") for name in ("submit", "upload")
    )
    for place in boxes(submit, upload):
        assert 0 <= place["left"] < place["right"] <= 390


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page with all presets that are shipped, on a machine without a GPU."""
    no_gpu, installed = Devices(gpus=(), ram_total_bytes=2**34, ram_free_bytes=2**33), installed_engines()
    models = page_order([assess(preset, no_gpu, installed) for preset in read_presets().presets])
    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served(models, folder) as page:
            yield page


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_no_tab_is_hidden_behind_a_menu(shipped: Served, opened: Open, locale: str) -> None:
    browser = opened(shipped.url, locale=locale, width=1280)
    tabs = browser.get_by_role("tablist").first.get_by_role("tab")
    expect(tabs).to_have_count(len(read_presets().presets) + 1)  # and Compare
    for tab in tabs.all():
        expect(tab).to_be_in_viewport(ratio=1)


def test_on_a_phone_tabs_are_one_line_that_is_moved_by_hand(shipped: Served, opened: Open) -> None:
    browser = opened(shipped.url, width=390, height=844)
    bar = browser.get_by_role("tablist").first
    tops = {round(each["y"]) for each in boxes(*bar.get_by_role("tab").all())}
    assert len(tops) == 1
    last = bar.get_by_role("tab").last
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport(ratio=0.95)
    last.click()
    expect(last).to_have_attribute("aria-selected", "true")
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_tabs_are_built_before_they_are_selected_and_nobody_wishes_for_them(
    shipped: Served, opened: Open
) -> None:
    browser = opened(shipped.url, width=390, height=844)
    shown: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/launcher/show"):
            shown.append(request.post_data_json["tab"])

    browser.on("request", note)
    all_built(browser)
    tabs = browser.get_by_role("tab")
    expect(tabs.first).to_have_attribute("aria-selected", "true")
    tabs.nth(1).click()
    second = browser.locator("textarea[data-testid=textbox]:visible")
    expect(second).to_be_visible()
    second.evaluate("(box) => box.placeholder += ' and more'.repeat(20)")
    assert second.evaluate("(box) => box.scrollHeight <= box.clientHeight")  # measured where it is seen
    assert set(shown) <= {tab.get_attribute("data-tab-id") for tab in tabs.all()[:2]}


def test_no_box_has_a_telephone_zoom_into_it(page: Served, opened: Open) -> None:
    """An iPhone does where letters are smaller than 16 pixels."""
    browser = ready(opened(page.url, **TELEPHONE))
    ask(browser, "first")
    expect(answers(browser)).to_have_count(1)
    idle(browser)
    shelf = browser.locator(".shelf:visible")
    shelf.locator("summary").tap()
    shelf.get_by_role("button", name="Rename").tap()
    expect(shelf.locator("li input")).to_be_visible()
    browser.get_by_role("button", name="Advanced").locator("visible=true").tap()
    expect(browser.get_by_label("Seed").locator("visible=true")).to_be_visible()
    written = browser.locator(
        "textarea:visible, input:not([type=range], [type=file], [type=checkbox]):visible"
    )
    sizes = written.evaluate_all("(all) => all.map((each) => getComputedStyle(each).fontSize)")
    assert set(sizes) == {"16px"}
    assert len(sizes) > 7  # the question, the title, the system prompt and the numbers
