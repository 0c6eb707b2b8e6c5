"""The page behind a proxy that shows it below a path and takes that off, as nginx and Jupyter do."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from openai import OpenAI
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.browser.conftest import Open, draw
from tests.ui.scripted_page import scripted, served

PATH = "/user/ada/vl"


@contextmanager
def stripping_proxy(listener: socket.socket, to: str, *, keeps_host: bool) -> Iterator[None]:
    """Hands on what is asked for below ``PATH``, without it; all else is not found. Without ``keeps_host``
    the page does not learn what the browser asked for, as with nginx's own settings."""
    client = httpx.AsyncClient(timeout=None, trust_env=False)

    @asynccontextmanager
    async def closing_client(_app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def forward(request: Request) -> Response:
        kept = [each for each in request.headers.raw if keeps_host or each[0] != b"host"]
        query = f"?{request.url.query}" if request.url.query else ""
        address = to + request.url.path.removeprefix(PATH) + query
        asked = client.build_request(request.method, address, headers=kept, content=await request.body())
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

    async def icon(_request: Request) -> Response:
        """Of the whole host: browsers ask for it where a page names none."""
        return Response(status_code=204)

    routes = [
        Route(PATH + "/{rest:path}", forward, methods=["GET", "HEAD", "POST"]),
        Route("/favicon.ico", icon),
    ]
    app = Starlette(routes=routes, lifespan=closing_client)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = Thread(target=server.run, args=([listener],))
    thread.start()
    yield
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("way", ["path", "address", "no proxy", "path handed on"])
def test_a_question_with_a_picture_is_answered(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Through a proxy that keeps the Host header, or one that loses it, where the page has been told the
    whole address; and without one."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    picture = draw(tmp_path / "shapes.png")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        public = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        root_path = public if way == "address" else PATH
        with served([scripted("pictures", tmp_path)], tmp_path, root_path=root_path) as page:
            if way in ("path", "address"):
                with stripping_proxy(listener, page.url, keeps_host=way == "path"):
                    ask(opened, f"{public}/", picture)
                    ask_endpoint(public, picture)
            else:
                address = f"{page.url}{PATH if way == 'path handed on' else ''}"
                ask(opened, f"{address}/", picture)
                ask_endpoint(address, picture)


def ask(opened: Open, url: str, picture: Path) -> None:
    page = opened(url)
    page.locator("input[type=file]").first.set_input_files(picture)
    page.locator("textarea:visible").first.fill("two words")
    page.keyboard.press("Enter")
    expect(page.locator(".bot").last).to_contain_text("[shapes.png] two words")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.user img')]"
        ".some(image => image.alt === 'shapes.png' && image.naturalWidth > 100)"
    )
    page.context.close()  # before the servers end


def ask_endpoint(address: str, picture: Path) -> None:
    """A program asks there, too; a page elsewhere does not."""
    url = f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
    parts: Any = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "two words"}]
    with OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        assert [each.id for each in client.models.list()] == ["pictures"]
        messages: Any = [{"role": "user", "content": parts}]
        stream = client.chat.completions.create(model="pictures", messages=messages, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert said == "[picture-1] two words "
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as http:
        assert http.get("/v1/models", headers={"Origin": "https://evil.example"}).status_code == 403
        assert http.get("/v1/models", headers={"X-Forwarded-Host": "evil.example"}).status_code == 421
