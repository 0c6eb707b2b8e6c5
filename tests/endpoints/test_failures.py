"""Everything that a server can do wrong, by a real one: what is raised, what it says to type, and that
nothing is read without end or asked twice without need."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from launcher.endpoints import events, server
from launcher.endpoints.server import Server, ask_models
from launcher.errors import LauncherError, RequestError
from launcher.presets import Endpoint
from tests.endpoints.bad_server import (
    DONE,
    HANG,
    MODELS,
    STREAM,
    WHOLE,
    BadServer,
    bad_server,
    error,
    event,
    reply,
)

LOST = b'{"error_code": 10402, "text": "Failed to get response after a period of time."}\n\n\n'
"""What LMDeploy's proxy sends where an answer would be, if its server is not there."""
BODY = {"model": "polly", "messages": [], "stream": True}


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PAUSES_S", (0.0, 0.0))
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def heard(endpoint: Endpoint) -> tuple[str, LauncherError | None]:
    """The text of an answer, and what it ended with."""
    text, asked = "", Server(endpoint)
    try:
        async for chunk in asked.answer(BODY):
            text += "".join(each.delta.content or "" for each in chunk.choices)
    except LauncherError as problem:
        return text, problem
    finally:
        await asked.close()
    return text, None


async def told(upstream: BadServer, **keys: str) -> str:
    """The whole error of an answer."""
    text, problem = await heard(upstream.endpoint(**keys))
    assert problem is not None
    return f"{text}{problem}"


@pytest.mark.parametrize(
    ("replies", "words", "times"),
    [
        ([error("401 No", "who are you?")], ["asks for a key", "key_env: NAME", "who are you?"], 1),
        ([error("403 No", "not you")], ["asks for a key", "not you"], 1),
        ([error("400 Bad", "seed is too large")], ["refuses the question (400): seed is too large"], 1),
        ([reply("422 Bad", b'{"detail": "no"}')], ["refuses the question (422): no"], 1),
        ([error("500 Oh", "out of luck")], ["failed (500): out of luck"], 1),
        ([error("503 Oh", "not yet")], ["failed (503): not yet"], 3),
        ([error("429 Slow", "slow down", "Retry-After: 77")], ["slow down", "Ask again in 77 s."], 1),
        ([error("429 Slow", "slow down")], ["slow down", "Ask again later."], 3),
        (
            [reply("307 Away", b"", "Location: http://elsewhere.example/v1")],
            ["sends on to http://elsewhere.example/v1, which is not followed"],
            1,
        ),
        (
            [STREAM + event("half") + b"data: {", WHOLE],
            ["halfThe server", "no answer in OpenAI's form: {"],
            1,
        ),
        ([STREAM + event("half"), WHOLE], ["halfThe server", "broke off before the answer's end"], 1),
        ([STREAM], ["broke off before the answer's end"], 3),
        ([b"\x00\x01 no HTTP\r\n\r\n"], ["broke off before the answer's end"], 3),
        ([STREAM + b"data: [1]\n\n"], ["no answer in OpenAI's form: [1]"], 1),
        ([STREAM + b'data: {"choices": 3}\n\n'], ["no answer in OpenAI's form"], 1),
        ([reply("200 OK", b"<html>hello\x1b[31m")], ["no answer in OpenAI's form: <html>hello [31m"], 1),
        ([STREAM + b'data: {"error": {"message": "no room"}}\n\n'], ["failed over this answer: no room"], 1),
        ([STREAM + event("a") + b'data: {"error": "b"}\n\n'], ["aThe server", "this answer: b"], 1),
    ],
)
async def test_it_is_told(replies: list[bytes], words: list[str], times: int) -> None:
    with bad_server(*replies) as upstream:
        found = await told(upstream)
        for each in words:
            assert each in found
        assert f"http://127.0.0.1:{upstream.port}/v1" in found
        assert len(upstream.asked) == times
        assert upstream.asked[0] == ("POST /v1/chat/completions HTTP/1.1", BODY)


async def test_a_question_that_is_at_fault_is_the_persons() -> None:
    with bad_server(error("400 Bad", "no")) as upstream:
        assert isinstance((await heard(upstream.endpoint()))[1], RequestError)


@pytest.mark.parametrize(
    "first",
    [
        error("503 Oh", "not yet"),
        error("429 Slow", "wait", "Retry-After: 0"),
        STREAM,
        b"",
        STREAM + b": hi\n\n",
        STREAM + LOST,
    ],
)
async def test_what_has_said_nothing_is_asked_again(first: bytes) -> None:
    with bad_server(first, WHOLE) as upstream:
        assert await heard(upstream.endpoint()) == ("hello there", None)
        assert len(upstream.asked) == 2


async def test_an_unknown_model_is_told_with_those_that_there_are() -> None:
    with bad_server(
        error("404 No", "no polly"), reply("200 OK", b'{"data": [{"id": "a"}, {"id": "b"}]}')
    ) as upstream:
        found = await told(upstream)
    assert "has no model polly" in found
    assert "Write one that it has for model in the preset: a, b" in found


async def test_an_address_where_no_such_api_is() -> None:
    with bad_server(error("404 No", "what?")) as upstream:
        assert "has nothing there (404): what?\nThe preset's url has to be" in await told(upstream)


async def test_a_key_is_sent_and_one_that_is_refused_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLLYS_KEY", " seed-cake \n")
    with bad_server(error("401 No", "stale")) as upstream:
        found = await told(upstream, key_env="POLLYS_KEY")
        assert "Authorization: Bearer seed-cake" in upstream.heads[0].splitlines()
    assert "does not take the key in POLLYS_KEY (401): stale\nType: export POLLYS_KEY=…" in found
    assert "seed-cake" not in found


async def test_a_key_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLLYS_KEY", "a\nb")
    with pytest.raises(LauncherError, match="POLLYS_KEY holds characters that no key has"):
        Server(Endpoint(url="http://127.0.0.1:1/v1", model="polly", key_env="POLLYS_KEY"))


async def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, problem = await heard(Endpoint(url=f"http://127.0.0.1:{port}/v1", model="polly"))
    assert f"The server at http://127.0.0.1:{port}/v1 cannot be reached: " in str(problem)


async def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "READ_S", 0.1)
    with bad_server(STREAM + event("so") + HANG) as upstream:
        assert "soThe server" in (found := await told(upstream))
        assert "said nothing for" in found
        assert len(upstream.asked) == 1


async def test_comments_alone_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_SILENCE_S", 0.0)
    with bad_server(STREAM + b": still here\n\n" + HANG) as upstream:
        assert "said nothing for 0 s" in await told(upstream)


@pytest.mark.parametrize("more", [b"x" * 5000, event("word") * 50])
async def test_a_body_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    monkeypatch.setattr(events, "MOST_BYTES", 4000)
    monkeypatch.setattr(events, "MOST_LINE_BYTES", 2000)
    with bad_server(STREAM + more + HANG) as upstream:
        assert "and no end" in await told(upstream)


async def test_a_refusal_without_end_is_bounded() -> None:
    head = b"HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\n\r\n"
    with bad_server(head + b"no " * 100_000 + HANG) as upstream:
        assert len(await told(upstream)) < 1000


async def test_what_has_ended_needs_no_mark_of_its_end() -> None:
    with bad_server(STREAM + event("all") + event(finish="stop")) as upstream:
        assert await heard(upstream.endpoint()) == ("all", None)


async def test_whoever_closes_the_answer_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + event("first"))
        await reader.read()  # until the client has gone
        gone.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as upstream:
        port = upstream.sockets[0].getsockname()[1]
        asked = Server(Endpoint(url=f"http://127.0.0.1:{port}/v1", model="polly"))
        answer = asked.answer(BODY)
        await anext(answer)
        await answer.aclose()
        await gone.wait()
        await asked.close()


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (reply("200 OK", MODELS), ("polly", "molly")),
        (reply("200 OK", b'{"data": [{"id": "polly"}, {"id": "polly"}]}'), ("polly",)),
        (error("404 No", "none"), None),
        (error("405 No", "x"), None),
    ],
)
async def test_the_list_of_models(answer: bytes, names: Any) -> None:
    with bad_server(answer) as upstream:
        assert await ask_models(upstream.endpoint()) == names
        assert upstream.asked == [("GET /v1/models HTTP/1.1", None)]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 3}', b'{"data": [{}]}'])
async def test_a_list_that_is_none(body: bytes) -> None:
    error_text = "no answer in OpenAI's form"
    with bad_server(reply("200 OK", body)) as upstream, pytest.raises(LauncherError, match=error_text):
        await ask_models(upstream.endpoint())


async def test_the_proxy_of_the_environment_is_asked_and_no_proxy_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        bad_server(reply("200 OK", MODELS)) as proxy,
        bad_server(reply("200 OK", b'{"data": []}')) as upstream,
    ):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        assert await ask_models(upstream.endpoint()) == ("polly", "molly")
        assert proxy.asked == [(f"GET http://127.0.0.1:{upstream.port}/v1/models HTTP/1.1", None)]
        monkeypatch.setenv("no_proxy", "127.0.0.0/8")
        assert await ask_models(upstream.endpoint()) == ()


async def test_done_without_a_reason_is_no_failure_of_the_connection() -> None:
    with bad_server(STREAM + event("cut") + DONE) as upstream:
        assert await heard(upstream.endpoint()) == ("cut", None)
