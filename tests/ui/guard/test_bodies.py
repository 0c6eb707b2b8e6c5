from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from launcher.ui.guard import bodies
from launcher.ui.guard.bodies import UPLOAD, Bodies
from launcher.ui.headers import Message, Receive, Scope, Send
from tests.ui.guard.asgi import Inner, client, exchange, scope_of

CHUNKED = {"transfer-encoding": "chunked"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 1000)
    monkeypatch.setattr(bodies, "MAX_UPLOAD_BYTES", 5000)


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100


@pytest.mark.parametrize(("path", "limit"), [("/config", 1000), (UPLOAD, 5000)])
async def test_bytes_are_counted_whatever_the_request_says(path: str, limit: int) -> None:
    inner = Inner()
    async with client(Bodies(inner)) as http:
        assert (await http.post(path, content=b"x" * limit)).status_code == 200
        assert (await http.post(path, content=pieces(limit // 100))).text == str(limit)
        for content in (b"x" * (limit + 1), pieces(limit // 100 + 1)):
            answer = await http.post(path, content=content)
            assert answer.status_code == 413
            assert answer.text.startswith(f"The request has more than {limit / 1e6:g} MB")
            assert answer.headers["connection"] == "close"


async def test_what_says_it_is_too_large_is_not_read_at_all() -> None:
    inner = Inner()

    def more() -> Message:
        raise AssertionError("it was read")

    sent = await exchange(
        Bodies(inner), scope_of(method="POST", **{"content-length": "1001"}), (more() for _ in range(1))
    )
    assert sent[0]["status"] == 413
    assert not inner.seen


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "²", ""])
async def test_nonsense_about_the_length_counts_for_nothing(length: str) -> None:
    inner = Inner()
    sent = await exchange(Bodies(inner), scope_of(method="POST", **{"content-length": length}))
    assert sent[0]["status"] == 200


async def test_an_app_that_answers_an_unreadable_body_itself_is_not_heard() -> None:
    """FastAPI does: with 400."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while True:
                await receive()
        except Exception:  # noqa: BLE001
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"its own words"})

    many = ({"type": "http.request", "body": b"x" * 600, "more_body": True} for _ in range(2))
    sent = await exchange(Bodies(app), scope_of(method="POST", **CHUNKED), many)
    assert [message.get("status") for message in sent] == [413, None]


async def test_a_slow_body_is_cut() -> None:
    now_s = 0.0
    inner = Inner()

    async def receive() -> Message:
        """A byte each ten seconds."""
        nonlocal now_s
        now_s += 10
        if now_s > bodies.GRACE_S + 10:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"x", "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Bodies(inner, lambda: now_s)(scope_of(method="POST", **CHUNKED), receive, send)
    assert sent[0]["status"] == 408
    assert b"came too slowly" in sent[1]["body"]


async def test_a_body_that_comes_steadily_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 10_000_000)
    now_s = 0.0
    inner = Inner()
    ahead = [100_000] * 50 + [0]

    async def receive() -> Message:
        nonlocal now_s
        now_s += 20  # 5,000 bytes a second
        return {"type": "http.request", "body": b"x" * ahead.pop(0), "more_body": bool(ahead)}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Bodies(inner, lambda: now_s)(scope_of(method="POST", **CHUNKED), receive, send)
    assert sent[1]["body"] == b"5000000"


async def test_errors_of_the_app_stay_errors() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await exchange(Bodies(app), scope_of())


@pytest.mark.parametrize("headers", [{}, CHUNKED])
async def test_a_stream_learns_that_its_reader_has_gone(headers: dict[str, str]) -> None:
    """After the body, nothing is counted or timed."""
    now_s = 0.0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now_s
        assert (await receive())["type"] == "http.request"
        now_s = 10_000.0
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})

    assert (await exchange(Bodies(app, lambda: now_s), scope_of(**headers)))[0]["status"] == 200


async def test_whether_a_reader_has_gone_is_answered_at_once() -> None:
    """Gradio's streams ask without waiting: a receive that only begins to wait would never tell them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        assert await request.is_disconnected()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    assert (await exchange(Bodies(app), scope_of(), []))[0]["status"] == 200
