"""The endpoint as its clients find it, at scripted models: the ``openai`` package, curl, twenty at once."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

import launcher.demo
from launcher.workers.states import ModelState
from tests.ui.scripted_page import Served

PICTURE = Path(launcher.demo.__file__).parent / "pictures" / "2-shapes.png"


def question(text: str, *pictures: Path) -> list[ChatCompletionMessageParam]:
    parts = [{"type": "text", "text": text}]
    urls = [f"data:image/png;base64,{base64.b64encode(each.read_bytes()).decode()}" for each in pictures]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [*shown, *parts] if pictures else text}]  # type: ignore[list-item]


def asked(client: OpenAI, model: str, text: str, **options: object) -> str:
    answer = client.chat.completions.create(model=model, messages=question(text), **options)  # type: ignore[call-overload]
    return str(answer.choices[0].message.content)


def test_the_models_are_listed(client: OpenAI) -> None:
    assert [each.id for each in client.models.list()] == ["one", "two", "short"]
    assert client.models.retrieve("two").owned_by == "launcher"
    with pytest.raises(openai.NotFoundError, match="These are offered: one, two, short"):
        client.models.retrieve("three")


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="one", messages=question("three little words"))
    assert answer.choices[0].message.content == "three little words "
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)


def test_a_streamed_answer_with_what_it_cost(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="one", messages=question("/say 50"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert text.split() == [str(number) for number in range(50)]
    assert [each.choices[0].finish_reason for each in chunks[:-1]][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 50
    assert not chunks[-1].choices


async def test_the_async_client(page: Served) -> None:
    async with AsyncOpenAI(base_url=f"{page.url}/v1", api_key="none", max_retries=0) as client:
        stream = await client.chat.completions.create(model="two", messages=question("a b c"), stream=True)
        assert "".join([each.choices[0].delta.content or "" async for each in stream]) == "a b c "


def test_curl(page: Served) -> None:
    body = json.dumps({"model": "one", "messages": question("hello there")})
    command = ["curl", "-sS", "--noproxy", "*", f"{page.url}/v1/chat/completions", "-d", body]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "hello there "


def test_what_was_asked_reaches_the_engine(client: OpenAI) -> None:
    talk: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": " "},
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "first"}]},
        {"role": "assistant", "content": "answer"},
        *question("/asked", PICTURE),
    ]
    answer = client.chat.completions.create(
        model="one",
        messages=talk,
        max_completion_tokens=99,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=["END", "\n\n\n"],
        user="somebody",
        n=1,
        extra_body={"top_k": 5, "repetition_penalty": 1.1},
    )
    said = str(answer.choices[0].message.content)
    request = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert [(each["role"], each["text"]) for each in request["messages"]] == [
        ("system", "Be brief."),
        ("user", "first"),
        ("assistant", "answer"),
        ("user", "/asked"),
    ]
    assert request["options"] == {
        "max_new_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "repetition_penalty": 1.1,
        "seed": 7,
    }
    assert request["stop"] == ["END", "\n\n\n"]
    [picture] = request["messages"][-1]["pictures"]
    assert not Path(picture).exists()  # it went with the request
    assert not Path(picture).parent.exists()


def test_special_tokens_that_are_typed_reach_the_model_as_text(client: OpenAI) -> None:
    assert asked(client, "one", "<|im_end|> <s> [UNUSED_TOKEN_145]") == "<|im_end|> <s> [UNUSED_TOKEN_145] "


def test_the_limit_and_a_full_session_are_told_as_length(client: OpenAI) -> None:
    limited = client.chat.completions.create(model="one", messages=question("/say 50"), max_tokens=5)
    assert limited.choices[0].finish_reason == "length"
    assert limited.choices[0].message.content == "0 1 2 3 4 "
    full = client.chat.completions.create(model="short", messages=question("/say 999"), max_tokens=999)
    assert full.choices[0].finish_reason == "length"
    assert full.usage is not None
    assert full.usage.total_tokens == 256


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_stops_the_engine(page: Served, streamed: bool) -> None:
    body = {"model": "two", "messages": question("begun\n/stall"), "stream": streamed}
    connection = HTTPConnection(page.url.removeprefix("http://"))
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    until(page, lambda: running(page, "two") == 1)
    connection.close()
    until(page, lambda: running(page, "two") == 0)


def until(page: Served, holds: Callable[[], bool]) -> None:
    version = 0
    while not holds():
        version = page.manager.wait_for_change(version, 60)


def running(page: Served, model: str) -> int:
    return next(each.running + each.waiting for each in page.manager.statuses() if each.name == model)


def test_a_failure_at_once_has_a_status_and_a_later_one_is_told_in_the_stream(
    page: Served, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.api.asking.PATIENCE_S", 60.0)  # "at once", on a busy machine too
    with pytest.raises(openai.InternalServerError, match="The script failed: oh"):
        asked(client, "one", "/fail oh", stream=True)
    with pytest.raises(openai.InternalServerError, match="The script failed: oh"):
        asked(client, "one", "/fail oh")
    stream = client.chat.completions.create(model="one", messages=question("hi\n/fail later"), stream=True)
    with pytest.raises(openai.APIError, match="later"):
        list(stream)


def test_a_model_that_dies_is_told_and_the_next_question_finds_another(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        asked(client, "short", "/crash 3")
    assert asked(client, "short", "again") == "again "


def test_while_it_loads_a_stream_is_kept_alive(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.api.asking.PATIENCE_S", 0.01)
    monkeypatch.setattr("launcher.ui.streams.HEARTBEAT_S", 0.01)
    gate = page.gate("slow")
    body = {"model": "one", "messages": question(f"/wait {gate}\ndone"), "stream": True}
    with (
        httpx.Client(trust_env=False, timeout=60) as http,
        http.stream("POST", f"{page.url}/v1/chat/completions", json=body) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines).startswith(": the model is loading")
        page.open(gate)
        assert any("done" in line for line in lines)


def test_asking_wakes_a_model(page: Served, client: OpenAI) -> None:
    page.manager.unload("two")
    version = 0
    while next(each.state for each in page.manager.statuses() if each.name == "two") is ModelState.READY:
        version = page.manager.wait_for_change(version, 60)
    assert asked(client, "two", "awake") == "awake "


async def test_twenty_clients_over_endpoint_and_page_mixed(page: Served) -> None:
    async with (
        AsyncOpenAI(base_url=f"{page.url}/v1", api_key="none", max_retries=0) as client,
        httpx.AsyncClient(trust_env=False, timeout=120) as http,
    ):

        async def at_the_endpoint(number: int) -> str:
            model = ("one", "two", "short")[number % 3]
            stream = await client.chat.completions.create(
                model=model, messages=question(f"/name\n/say 100\nasker {number}"), stream=True
            )
            return "".join([each.choices[0].delta.content or "" async for each in stream])

        async def at_the_page(number: int) -> str:
            body = {
                "page": f"page{number:06}",
                "tab": "one",
                "turn": 1,
                "question": {"text": f"asker {number}"},
                "history": [],
            }
            answer = await http.post(f"{page.url}/launcher/ask", json=body)
            return str(json.loads(answer.text.splitlines()[-1])["answer"])

        said = await asyncio.gather(
            *(at_the_endpoint(each) if each % 2 else at_the_page(each) for each in range(20))
        )
    numbers = " ".join(map(str, range(100)))
    for number, text in enumerate(said):
        model = ("one", "two", "short")[number % 3]
        expected = f"{model}{numbers} asker {number}" if number % 2 else f"asker {number}"
        assert text.strip() == expected
