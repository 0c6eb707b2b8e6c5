"""What the endpoint does not take: a 400 in OpenAI's form that names the field, and how to mend it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.ui.scripted_page import Served

HELLO = [{"role": "user", "content": "hello"}]


def picture(url: str) -> list[dict[str, Any]]:
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "what?"}]
    return [{"role": "user", "content": parts}]


NO_PICTURE = f"data:image/png;base64,{base64.b64encode(b'no picture').decode()}"


@pytest.fixture(scope="module")
def http(page: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.url, trust_env=False, timeout=60) as http:
        yield http


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"messages": None}, "messages", "The request has no messages"),
        ({"messages": []}, "messages", "The request has no question"),
        ({"messages": "hello"}, "messages", 'messages cannot be "hello"\nIt is a list of messages.'),
        ({"model": 5}, "model", "model cannot be 5\nIt is a text."),
        ({"stop": 5}, "stop", "stop cannot be 5\nIt is a text, or a list of texts."),
        ({"stop": [""]}, "stop", 'stop cannot be [""]\nIt is at most 16 texts'),
        ({"stream": "true"}, "stream", 'stream cannot be "true"'),
        ({"max_tokens": "5"}, "max_tokens", 'max_tokens cannot be "5"'),
        ({"messages": [{"content": "x"}]}, "messages.0", "Its role is missing"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role", "cannot be tool"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "has no messages.0.content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content", "cannot be 5"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages", "has no question"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages.0.content.0.type",
            "cannot be input_audio",
        ),
        (
            {"messages": [*HELLO, {"role": "system", "content": "x"}, *HELLO]},
            "messages.1.role",
            "stand before",
        ),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "messages", "has no question"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"temperature": "hot"}, "temperature", 'temperature cannot be "hot"'),
        ({"temperature": 3}, "temperature", "from 0"),
        ({"max_tokens": 0}, "max_tokens", "max_tokens cannot be 0"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_completion_tokens", "mean the same"),
        ({"n": 2}, "n", "n cannot be 2: this endpoint does not support it"),
        ({"n": True}, "n", "does not support it"),
        ({"logprobs": True}, "logprobs", "does not support it"),
        ({"response_format": {"type": "json_object"}}, "response_format", "does not support it"),
        ({"tools": [{"type": "function"}]}, "tools", "these models call no tools"),
        ({"best_of": 3}, "best_of", "These are read: model, messages"),
        ({"messages": picture("https://example.org/a.png")}, "messages.0.content.0.image_url.url", "fetched"),
        ({"messages": picture("file:///etc/passwd")}, "messages.0.content.0.image_url.url", "no data: URL"),
        ({"messages": picture("data:image/png;base64,!!")}, "messages.0.content.0.image_url.url", "base64"),
        ({"messages": picture(NO_PICTURE)}, None, "is not a picture"),
        ({"messages": picture(NO_PICTURE), "model": "two"}, "messages.0.content.0", "reads text alone"),
        ({"messages": [{"role": "user", "content": "a" * 1_000_000}], "model": "short"}, None, "1,000,000"),
    ],
)
def test_it_is_named(http: httpx.Client, changes: dict[str, Any], field: str | None, sentence: str) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "one", "messages": HELLO, **changes})
    error = answer.json()["error"]
    assert answer.status_code == 400, error
    assert error["type"] == "invalid_request_error"
    assert error["param"] == field
    assert sentence in error["message"]


def test_a_field_whose_name_no_text_has(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", content=b'{"model": "one", "messages": [], "\\ud800": 1}')
    assert answer.status_code == 400
    assert "\ufffd is nothing that this endpoint knows" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'"x"'])
def test_what_is_no_json_object(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert "The request cannot be read" in answer.json()["error"]["message"]


def test_fields_that_say_what_is_so_anyway(http: httpx.Client) -> None:
    neutral = {"n": 1, "tools": [], "frequency_penalty": 0.0, "logit_bias": {}, "user": "me", "stop": None}
    answer = http.post("/v1/chat/completions", json={"model": "one", "messages": HELLO, **neutral})
    assert answer.json()["choices"][0]["message"]["content"] == "hello "


def test_an_unknown_model(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "gpt", "messages": HELLO})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "These are offered: one, two, short" in answer.json()["error"]["message"]


def test_in_chinese(http: httpx.Client) -> None:
    body = {"model": "gpt", "messages": HELLO}
    answer = http.post("/v1/chat/completions", json=body, headers={"Accept-Language": "zh-CN"})
    assert "没有名为 gpt" in answer.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_pages_elsewhere_get_nothing(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "one", "messages": HELLO}, headers=headers)
    assert answer.status_code in (403, 421)
    assert "message" in answer.json()["error"]


def test_other_routes(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    closed = http.get("/metrics")
    assert (closed.status_code, closed.json()["error"]["type"]) == (404, "not_found_error")
    unasked = http.post("/health", headers={"Accept-Language": "zh-CN"})
    assert (unasked.status_code, unasked.headers["allow"]) == (405, "GET")
    assert unasked.json()["error"]["message"].startswith("/health 不")
    asked = http.get("/v1/chat/completions")
    assert (asked.status_code, asked.headers["allow"]) == (405, "POST")
    assert asked.json()["error"]["message"] == "/v1/chat/completions does not answer to GET\nIt takes POST."
    assert http.post("/v1/embeddings", json={}).json()["error"]["type"] == "not_found_error"
