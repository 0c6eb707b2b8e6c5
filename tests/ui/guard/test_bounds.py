"""How many, and how often: each refusal is a sentence, and what it counted is let go of."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from launcher.ui.guard import crowds, waiting_events
from launcher.ui.guard.bodies import UPLOAD
from launcher.ui.guard.crowds import Crowds, most_connections
from launcher.ui.guard.upload_rates import UploadRates
from launcher.ui.guard.waiting_events import UnderWay, WaitingEvents
from launcher.ui.headers import App, Receive, Scope, Send
from tests.ui.guard.asgi import Inner, client

OTHERS = "192.0.2.7"
ASK = "/gradio_api/queue/join"


@asynccontextmanager
async def streams(count: int, make: Callable[[App], App]) -> AsyncIterator[App]:
    """The guard around an app, with that many streams open through it."""
    end, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/stream":
            begun.release()
            await end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard = make(app)
    async with client(guard, OTHERS) as http:
        open_streams = [asyncio.create_task(http.get("/stream")) for _ in range(count)]
        for _ in range(count):
            await begun.acquire()
        yield guard
        end.set()
        assert {answer.status_code for answer in await asyncio.gather(*open_streams)} == {200}


async def test_one_address_cannot_hold_all_streams() -> None:
    async with streams(3, lambda app: Crowds(app, most=10, from_one=3)) as guard:
        async with client(guard, OTHERS) as http:
            answer = await http.get("/")
        assert answer.status_code == 429
        assert answer.headers["retry-after"]
        assert answer.text.startswith("Too many requests are open from this address: 3")
        async with client(guard, "192.0.2.8") as http:
            assert (await http.get("/")).status_code == 200
    async with client(guard, OTHERS) as http:
        assert (await http.get("/")).status_code == 200
    assert not guard._open  # type: ignore[attr-defined]


async def test_all_together_have_a_bound_too() -> None:
    async with streams(3, lambda app: Crowds(app, most=3)) as guard, client(guard) as http:
        answer = await http.get("/", headers={"accept-language": "zh"})
        assert answer.status_code == 503
        assert answer.text.startswith("打开本页面的地方过多：正在处理 3 个请求")


async def test_everyone_behind_a_tunnel_comes_from_loopback() -> None:
    guard = Crowds(Inner(), most=10, from_one=0)
    async with client(guard) as http:
        assert (await http.get("/")).status_code == 200


def test_connections_leave_files_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {1024: 768, 100: 50, resource.RLIM_INFINITY: crowds.MOST_OPEN, 1_000_000: crowds.MOST_OPEN}
    for soft, most in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _which, soft=soft: (soft, soft))
        assert most_connections() == most


async def test_uploads_a_minute() -> None:
    guard = UploadRates(Inner(), one=2, loopback=3)
    for address, count in ((OTHERS, 2), ("127.0.0.1", 3)):
        async with client(guard, address) as http:
            for _ in range(count):
                assert (await http.post(UPLOAD)).status_code == 200
            answer = await http.post(UPLOAD)
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
            assert answer.text.startswith("Too many pictures were uploaded")
            assert (await http.get("/config")).status_code == 200


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("IN_ALL", 6), ("FROM_ONE_ADDRESS", 3), ("OF_ONE_SESSION", 2)):
        monkeypatch.setattr(waiting_events, name, most)


async def ask(
    under_way: list[UnderWay], address: str, session: str | None, path: str = ASK
) -> httpx.Response:
    inner = Inner()
    async with client(WaitingEvents(inner, lambda: under_way), address) as http:
        answer = await http.post(path, json={"session_hash": session})
    assert len(inner.seen) == (answer.status_code == 200)
    return answer


@pytest.mark.usefixtures("few")
async def test_questions_at_once() -> None:
    page = [("a", OTHERS), ("a", OTHERS)]
    assert (await ask(page[:1], OTHERS, "a")).status_code == 200
    answer = await ask(page, OTHERS, "a")
    assert answer.status_code == 429
    assert answer.text.startswith("Too many questions of yours are being answered: 2")
    assert (await ask(page, OTHERS, "b")).status_code == 200
    three = [*page, ("c", OTHERS)]
    assert (await ask(three, OTHERS, "d")).status_code == 429
    assert (await ask(three, OTHERS, None, "/gradio_api/call/chat_x")).status_code == 429
    assert (await ask(three, "192.0.2.8", "d")).status_code == 200
    tunnel = [(str(number), "127.0.0.1") for number in range(6)]
    assert (await ask(tunnel[:5], "127.0.0.1", "d")).status_code == 200
    answer = await ask(tunnel, "127.0.0.1", "d")
    assert answer.status_code == 429
    assert answer.text.startswith("Too many questions are being answered: 6")


@pytest.mark.usefixtures("few")
async def test_nothing_but_a_question_is_counted() -> None:
    guard = WaitingEvents(Inner(), lambda: [("a", OTHERS)] * 100)
    async with client(guard, OTHERS) as http:
        for path in ("/config", "/gradio_api/call/x/y"):
            assert (await http.get(path)).status_code == 200
        assert (await http.post("/gradio_api/cancel")).status_code == 200


@pytest.mark.usefixtures("few")
async def test_a_question_of_the_page_is_under_way_until_it_is_answered() -> None:
    end, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.release()
        await end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    question = {"page": "a" * 32, "tab": "x"}
    async with client(WaitingEvents(app, list), OTHERS) as http:
        first = [asyncio.create_task(http.post("/launcher/ask", json=question)) for _ in range(2)]
        for _ in first:
            await begun.acquire()
        assert (await http.post("/launcher/ask", json=question)).status_code == 429
        end.set()
        assert {answer.status_code for answer in await asyncio.gather(*first)} == {200}
        assert (await http.post("/launcher/ask", json=question)).status_code == 200
