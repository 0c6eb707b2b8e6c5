"""The page behind a proxy that shows it below a path and takes that off, as nginx and Jupyter do."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from launcher.engines.scripted import ALLOWED_BY
from tests.browser.conftest import Open, draw
from tests.ui.scripted_page import scripted, served

PATH = "/user/ada/vl"


@contextmanager
def stripping_proxy(to: str, *, keeps_host: bool) -> Iterator[str]:
    """Hands on what is asked for below ``PATH``, without it; all else is not found. Without ``keeps_host`` the
    page does not learn what the browser asked for, as with nginx's own settings."""
    client = httpx.AsyncClient(timeout=None, trust_env=False)

    async def forward(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.raw if name != b"host" or keeps_host]
        query = f"?{request.url.query}" if request.url.query else ""
        asked = client.build_request(
            request.method,
            to + request.url.path.removeprefix(PATH) + query,
            headers=headers,
            content=await request.body(),
        )
        answer = await client.send(asked, stream=True)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for piece in answer.aiter_raw():
                    yield piece
            finally:
                await answer.aclose()

        response = StreamingResponse(body(), answer.status_code)
        response.raw_headers = answer.headers.raw
        return response

    routes = [Route(PATH + "/{rest:path}", forward, methods=["GET", "HEAD", "POST"])]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), log_level="error", timeout_graceful_shutdown=1)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    "way", ["path", "path, host lost", "address, host lost", "no proxy", "path handed on"]
)
def test_a_question_with_a_picture_is_answered(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv(ALLOWED_BY, "1")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        public = probe.getsockname()[1]
    del public
    picture = draw(tmp_path / "shapes.png")
    with served([scripted("pictures", tmp_path)], tmp_path, root_path=PATH) as page:
        if way == "no proxy":
            ask(opened, f"{page.url}/", picture)
        elif way == "path handed on":
            ask(opened, f"{page.url}{PATH}/", picture)
        else:
            with stripping_proxy(page.url, keeps_host=way == "path") as proxy:
                ask(opened, f"{proxy}{PATH}/", picture)


def ask(opened: Open, url: str, picture: Path) -> None:
    page = opened(url)
    page.locator("input[type=file]").first.set_input_files(picture)
    page.locator("textarea:visible").first.fill("two words")
    page.keyboard.press("Enter")
    expect(page.locator(".bot").last).to_contain_text("[shapes.png] two words")
    shown = page.locator(".user img").last
    expect(shown).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=shown.element_handle())
