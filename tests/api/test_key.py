"""Who may ask the endpoint, and how much, in one process without sockets."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest

from launcher.api.entrance import WhenAsked, entrance
from launcher.api.key import KeyCheck
from launcher.api.serving import Endpoint
from launcher.api.under_way import LARGE_AT_ONCE, UnderWay
from launcher.door import Credentials, Door
from launcher.ui.guard.bodies import MAX_BODY_BYTES
from launcher.ui.guard.rates import Rate
from launcher.ui.headers import Receive, Scope, Send
from tests.ui.guard.asgi import Inner, client

MODELS = "/v1/models"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_without_a_key_this_machine_alone() -> None:
    app = KeyCheck(Inner(), None)
    for address in ("127.0.0.1", "::1"):
        async with client(app, address) as http:
            assert (await http.get(MODELS)).status_code == 200
            for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host"):
                assert (await http.get(MODELS, headers={name: "x"})).status_code == 403
    async with client(app, "192.0.2.7") as http:
        answer = await http.get(MODELS)
        assert answer.status_code == 403
        assert "serve --api-key FILE" in answer.json()["error"]["message"]
        assert (await http.get("/health")).status_code == 200


async def test_with_a_key_whoever_has_it() -> None:
    inner = Inner()
    async with client(KeyCheck(inner, "secret"), "192.0.2.7") as http:
        assert (await http.get(MODELS, headers=bearer("secret"))).status_code == 200
        assert b"authorization" not in dict(inner.seen[0]["headers"])
        for wrong in ({}, bearer("secre"), {"Authorization": "secret"}, {"Authorization": "Basic secret"}):
            assert (await http.get(MODELS, headers=wrong)).status_code == 401
    assert len(inner.seen) == 1


async def test_wrong_keys_are_few() -> None:
    now_s = 0.0
    async with client(KeyCheck(Inner(), "secret", Rate(3, 60, lambda: now_s))) as http:
        for _ in range(3):
            assert (await http.get(MODELS, headers=bearer("x"))).status_code == 401
        answer = await http.get(MODELS, headers=bearer("secret"))
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "20"
        now_s = 20.0
        assert (await http.get(MODELS, headers=bearer("secret"))).status_code == 200


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        (None, {}, 401),
        (None, {"Authorization": httpx.BasicAuth("me", "word")._auth_header}, 200),
        ("secret", {}, 401),
        ("secret", bearer("secret"), 200),
    ],
)
async def test_the_pages_password_is_asked_for_where_there_is_no_key(
    key: str | None, headers: dict[str, str], status: int
) -> None:
    door = Door(credentials=Credentials("me", "word"), api_key=key)
    async with client(entrance(Inner(), door, tells_metrics=False)) as http:
        assert (await http.get(MODELS, headers=headers)).status_code == status


async def test_the_endpoint_is_made_once_by_whoever_is_first() -> None:
    making, go_on, made = threading.Event(), threading.Event(), []

    def make() -> Inner:
        making.set()
        assert go_on.wait(60)
        made.append(Inner())
        return made[-1]

    app = WhenAsked(make)
    Endpoint(app, app).prepare()
    assert making.wait(60)
    async with client(app) as http:
        asking = [asyncio.ensure_future(http.get(MODELS)) for _ in range(3)]
        await asyncio.sleep(0)  # they ask while it is being made
        go_on.set()
        assert [each.status_code for each in await asyncio.gather(*asking)] == [200, 200, 200]
    assert len(made) == 1
    assert len(made[0].seen) == 3


async def test_metrics_are_closed_unless_asked_for() -> None:
    for tells, status in ((False, 404), (True, 200)):
        async with client(entrance(Inner(), Door(), tells_metrics=tells)) as http:
            assert (await http.get("/metrics")).status_code == status


async def test_a_body_has_a_bound() -> None:
    async with client(entrance(Inner(), Door(), tells_metrics=False)) as http:
        ask = http.build_request("POST", "/v1/chat/completions", headers={"Content-Length": "48000001"})
        answer = await http.send(ask)
    assert answer.status_code == 413
    assert "48 MB" in answer.json()["error"]["message"]


async def test_questions_from_one_address_are_few() -> None:
    door, asked = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        asked.set()
        await door.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async with client(UnderWay(slow, from_one=1), "192.0.2.7") as http:
        first = asyncio.ensure_future(http.post("/v1/chat/completions"))
        await asked.wait()
        assert (await http.post("/v1/chat/completions")).status_code == 429
        door.set()
        assert (await first).status_code == 200
        assert (await http.post("/v1/chat/completions")).status_code == 200


async def test_large_questions_are_read_a_few_at_a_time_and_all_answered() -> None:
    reading, most = 0, 0

    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)  # whoever may read begins now
        while (await receive()).get("more_body", False):
            pass
        reading -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async with client(UnderWay(reads)) as http:
        body = bytes(MAX_BODY_BYTES + 1)
        answers = await asyncio.gather(
            *(http.post("/v1/chat/completions", content=body) for _ in range(3 * LARGE_AT_ONCE))
        )
    assert {each.status_code for each in answers} == {200}
    assert most == LARGE_AT_ONCE
