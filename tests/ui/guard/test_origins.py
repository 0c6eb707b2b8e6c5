from __future__ import annotations

import pytest

from launcher.ui.guard.origins import OriginCheck
from tests.ui.guard.asgi import Inner, client, exchange, scope_of

ASKED = "/gradio_api/queue/join"


async def status(
    headers: dict[str, str], path: str = ASKED, method: str = "POST", root_path: str = ""
) -> int:
    async with client(OriginCheck(Inner(), root_path)) as http:
        return (await http.request(method, path, headers=headers)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"origin": "http://localhost:6006"},
        {"origin": "HTTP://LOCALHOST:6006"},
        {"origin": "http://localhost:6006", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},  # a person who typed the address
        {"sec-fetch-site": "same-origin", "origin": "null"},  # a beacon of a page without referrers
        {"origin": "http://localhost:7000", "host": "localhost:7000"},  # a tunnel
        {"origin": "https://box.example", "host": "box.example"},  # a proxy that ends TLS
        {"origin": "https://box.example", "host": "box.example:443"},
        {"origin": "https://box.example", "x-forwarded-host": "box.example"},
    ],
)
async def test_our_own_page_and_programs_may_ask(headers: dict[str, str]) -> None:
    assert await status(headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:8888"},  # another page of this machine
        {"origin": "http://127.0.0.1:6006"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:6006@evil.example"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:6006"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_no_other_page_may(headers: dict[str, str], method: str) -> None:
    assert await status(headers, method=method) == 403


@pytest.mark.parametrize(("path", "root_path"), [("/", ""), ("/vl/", "/vl"), ("/vl", "https://x.example/vl")])
async def test_a_link_to_the_page_may_be_followed_from_anywhere(path: str, root_path: str) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert await status(link, path, "GET", root_path) == 200
    assert await status(link, path, "POST", root_path) == 403
    assert await status({**link, "sec-fetch-dest": "iframe"}, path, "GET", root_path) == 403


async def test_a_proxy_that_hides_the_host_is_known_by_the_whole_address() -> None:
    origin = {"origin": "https://hub.example"}
    assert await status(origin) == 403
    assert await status(origin, root_path="https://hub.example/vl") == 200
    assert await status({"origin": "http://hub.example"}, root_path="https://hub.example/vl") == 403


async def test_the_refusal_says_what_to_do() -> None:
    async with client(OriginCheck(Inner())) as http:
        answer = await http.get("/", headers={"origin": "http://evil.example", "accept-language": "zh"})
    assert answer.text.startswith("请求来自另一个网页：http://evil.example\n请打开本程序自己的页面")
    assert answer.text.endswith("serve --root-path https://example.org/vl")


async def test_a_websocket_of_another_page_is_closed() -> None:
    inner = Inner()
    scope = {**scope_of(origin="http://evil.example", host="localhost:6006"), "type": "websocket"}
    [closed] = await exchange(OriginCheck(inner), scope, [{"type": "websocket.connect"}])
    assert closed["type"] == "websocket.close"
    assert not inner.seen
