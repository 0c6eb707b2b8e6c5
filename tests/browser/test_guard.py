"""The guard as a browser meets it: hostile names and pages, a login, answers that would load from outside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from launcher.door import Credentials, Door
from tests.browser.conftest import FLAGS, Open, draw
from tests.browser.person import answers, ask, idle, ready, upload
from tests.ui.scripted_page import Served, scripted, served

pytestmark = pytest.mark.browser

REBOUND = "rebound.example"
"""A hostile page's name, which leads to this machine."""

ATTACK = """async (target) => {
    const attempt = async (what) => { try { return await what() } catch (error) { return 'stopped' } }
    const form = new FormData()
    form.append('files', new Blob(['theirs']), 'theirs.png')
    const upload = { method: 'POST', body: form, mode: 'no-cors' }
    const picture = new Image()
    const shown = new Promise((done) => {
        picture.onload = () => done('read')
        picture.onerror = () => done('stopped')
    })
    picture.src = target + '/static/img/logo.svg'
    return {
        config: await attempt(async () => (await (await fetch(target + '/config')).text()).length),
        upload: await attempt(async () => (await fetch(target + '/gradio_api/upload', upload)).type),
        picture: await shown,
    }
}"""


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """An empty page of another server."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://{REBOUND}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def misled(chromium: Browser) -> Iterator[Browser]:
    """A browser for which the hostile name leads here."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    rules = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
    browser = chromium.browser_type.launch(executable_path=program, args=[*FLAGS, rules])
    yield browser
    browser.close()


def stored(page: Served) -> set[Path]:
    return {path for path in (page.folder / "uploads").rglob("*") if path.is_file()}


def test_a_name_that_was_rebound_here_shows_no_page(page: Served, misled: Browser) -> None:
    tab = misled.new_page()
    answer = tab.goto(page.url.replace("127.0.0.1", REBOUND))
    assert answer is not None
    assert answer.status == 421
    assert "is not a name of this page" in tab.content()
    tab.close()


def test_a_hostile_page_reads_and_stores_nothing(page: Served, misled: Browser, hostile: str) -> None:
    before = stored(page)
    tab = misled.new_page()
    tab.goto(hostile)
    done = tab.evaluate(ATTACK, page.url)
    assert done == {"config": "stopped", "upload": "stopped", "picture": "stopped"}
    assert stored(page) == before
    tab.close()


def test_a_hostile_page_cannot_frame_this_one(page: Served, misled: Browser, hostile: str) -> None:
    tab = misled.new_page()
    tab.goto(hostile)
    with tab.expect_event("framenavigated"):
        tab.evaluate(
            "(url) => document.body.appendChild(Object.assign(document.createElement('iframe'), {src: url}))",
            page.url,
        )
    assert not [frame for frame in tab.frames if frame.query_selector("gradio-app, h1")]
    tab.close()


def test_a_link_from_elsewhere_leads_to_the_page(page: Served, misled: Browser, hostile: str) -> None:
    tab = misled.new_page()
    tab.goto(hostile)
    tab.evaluate("(url) => { location.href = url }", page.url)
    tab.locator("textarea:visible").first.wait_for()
    tab.close()


def test_a_person_who_knows_the_password_asks(
    misled: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    door = Door(credentials=Credentials("ada", "geheim"))
    with served([scripted("pictures", tmp_path)], tmp_path, door=door) as page:
        stranger = misled.new_page()
        answer = stranger.goto(page.url)
        assert answer is not None
        assert answer.status == 401
        stranger.close()
        context = misled.new_context(http_credentials={"username": "ada", "password": "geheim"})
        tab = context.new_page()
        tab.goto(page.url)
        ready(tab)
        upload(tab, draw(tmp_path / "shapes.png"))
        ask(tab, "two words")
        expect(answers(tab)).to_contain_text("[shapes.png] two words")
        context.close()


@pytest.mark.parametrize(
    "fence",
    [
        "```mermaid\\ngraph TD; A[one] --> B[two]\\n```",
        "```mermaid\\n%%{init: {'themeCSS': '* { color: red !important }'}}%%\\ngraph TD; A --> B\\n```",
        "```mermaid\\ngraph TD; A[<img src=http://192.0.2.1/x.png>]\\n```",
        '<pre class="mermaid">graph TD; A-->B</pre>',
    ],
)
def test_a_diagram_is_code_and_loads_nothing(page: Served, opened: Open, fence: str) -> None:
    """`opened` fails on a request to elsewhere."""
    browser = ready(opened(page.url))
    ask(browser, "an answer, for which the page loads what it needs to show one")
    idle(browser)
    loaded: list[str] = []
    browser.on("request", lambda request: loaded.append(request.url))
    ask(browser, fence.replace("\\n", "\n"))
    expect(answers(browser).last).to_contain_text("graph TD")
    idle(browser)
    assert not answers(browser).last.locator("svg, img").count()
    styles = browser.evaluate("[...document.querySelectorAll('style')].map((each) => each.textContent)")
    assert not [style for style in styles if "mermaid" in style or "red !important" in style]
    assert not [url for url in loaded if "mermaid" in url]
