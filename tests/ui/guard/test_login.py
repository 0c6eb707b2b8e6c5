from __future__ import annotations

import base64

import httpx
import pytest

from launcher.door import Credentials
from launcher.ui.guard.login import FAILURES_A_MINUTE, Login
from launcher.ui.guard.rates import Rate
from tests.ui.guard.asgi import Inner, client, exchange, scope_of

RIGHT = Credentials("ada", "pass:wört")
OTHERS = "192.0.2.7"


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def inner() -> Inner:
    return Inner()


async def test_who_knows_the_password_comes_in_and_it_goes_no_further(inner: Inner) -> None:
    async with client(Login(inner, RIGHT)) as http:
        assert (await http.get("/", headers=basic("ada", "pass:wört"))).status_code == 200
    assert not [name for name, _ in inner.seen[0]["headers"] if name == b"authorization"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ada", "pass"),
        basic("ada", ""),
        basic("ada", "pass:wörtx"),
        basic("Ada", "pass:wört"),
        basic("", ""),
        {"authorization": "Basic"},
        {"authorization": "Basic ÿ"},
        {"authorization": "Basic YWRh"},
        {"authorization": "Basic " + "=" * 100},
        {"authorization": "Bearer pass:wört"},
    ],
)
async def test_others_are_asked_for_it(inner: Inner, headers: dict[str, str]) -> None:
    async with client(Login(inner, RIGHT)) as http:
        answer = await http.get("/config", headers=httpx.Headers(headers, encoding="latin-1"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="launcher", charset="UTF-8"'
    assert answer.text.startswith("This page asks for a name and a password")
    assert not inner.seen


async def test_guessing_is_slow_and_one_address_cannot_lock_another_out(inner: Inner) -> None:
    now_s = 0.0
    login = Login(inner, RIGHT, Rate(FAILURES_A_MINUTE, 60, lambda: now_s))
    async with client(login, OTHERS) as guesser, client(login) as here:
        for number in range(FAILURES_A_MINUTE):
            assert (await guesser.get("/", headers=basic("ada", str(number)))).status_code == 401
        answer = await guesser.get("/", headers=basic("ada", "pass:wört"))
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "6"
        assert "Try again in 6 s." in answer.text
        assert (await here.get("/", headers=basic("ada", "pass:wört"))).status_code == 200
        now_s = 6.0
        assert (await guesser.get("/", headers=basic("ada", "pass:wört"))).status_code == 200


async def test_to_come_without_a_password_is_no_failure(inner: Inner) -> None:
    """As every browser does at first."""
    async with client(Login(inner, RIGHT)) as http:
        for _ in range(FAILURES_A_MINUTE + 1):
            assert (await http.get("/")).status_code == 401
        assert (await http.get("/", headers=basic("ada", "pass:wört"))).status_code == 200


async def test_a_websocket_is_no_way_in(inner: Inner) -> None:
    [closed] = await exchange(Login(inner, RIGHT), {**scope_of(), "type": "websocket"})
    assert closed["type"] == "websocket.close"
    assert not inner.seen


def test_the_password_is_not_shown_where_the_credentials_are() -> None:
    assert "wört" not in repr(RIGHT)
