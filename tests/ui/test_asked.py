"""What a program sends to the endpoint, and what the engine was really asked; every value that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.test_settings import ANY_JSON
from tests.ui.asked import OPTIONS, OWN, asked, talking
from tests.ui.scripted_page import Served

PRESET_SYSTEM = "Be kind."
ASK = {"text": "/asked", "files": []}
NOT_UPLOADED = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with talking(tmp_path_factory.mktemp("page"), PRESET_SYSTEM) as page:
        yield page


@pytest.fixture(scope="module")
def client(talker: Served) -> Iterator[Client]:
    client = Client(talker.url, verbose=False)
    yield client
    client.close()


def call(page: Served, data: object, language: str = "en") -> tuple[str, Any]:
    """The last event of a call over plain HTTP, and its data."""
    body = json.dumps({"data": data}).encode("utf-8", "surrogatepass")
    with httpx.Client(base_url=f"{page.url}/gradio_api", timeout=60) as http:
        headers = {"accept-language": language, "content-type": "application/json"}
        event = http.post("/call/chat_talker", content=body, headers=headers).raise_for_status()
        answer = http.get(f"/call/chat_talker/{event.json()['event_id']}", headers=headers)
    name, data_line = answer.raise_for_status().text.strip().split("\n\n")[-1].split("\n", 1)
    return name.removeprefix("event: "), json.loads(data_line.removeprefix("data: "))


def given_to_engine(page: Served, data: object) -> dict[str, Any]:
    event, (text,) = call(page, data)
    assert event == "complete"
    return asked(text)


def refusal(page: Served, data: object, language: str = "en") -> str:
    event, answer = call(page, data, language)
    assert event == "error"
    assert isinstance(answer["error"], str)
    return str(answer["error"])


def test_what_is_not_given_is_the_presets(client: Client, talker: Served) -> None:
    expected = {
        "messages": [("system", PRESET_SYSTEM), ("user", "/asked")],
        "options": OPTIONS,
    }
    assert asked(client.predict(ASK, api_name="/chat_talker")) == expected
    assert given_to_engine(talker, [ASK, *[None] * 7]) == expected


@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_emptied_system_prompt_is_none(client: Client, empty: str) -> None:
    found = asked(client.predict(ASK, system_prompt=empty, api_name="/chat_talker"))
    assert found["messages"] == [("user", "/asked")]


def test_everything_that_is_given_reaches_the_engine(client: Client, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (9, 9), "red").save(picture)
    options = {
        "max_new_tokens": 32768, "temperature": 2, "top_p": 0.01, "top_k": 1_000_000,
        "repetition_penalty": 0.5, "seed": 2**63 - 1,
    }  # fmt: skip
    text = "<b>&amp; *x* `y` 你好 🦊 \\n\n/asked"
    message = {"text": text, "files": [handle_file(str(picture)), handle_file(str(picture))]}
    found = asked(client.predict(message, system_prompt=" Own\n", **options, api_name="/chat_talker"))
    assert found["messages"] == [("system", " Own\n"), ("user", text, "red.png", "red.png")]
    assert found["options"] == options


NUMBERS = [*OWN, "seed"]


@pytest.mark.parametrize(
    "value", ["warm", "0.5", "", True, [], {}, float("nan"), float("inf"), -2, 2**63, 2**64]
)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_value_that_is_wrong_is_named_with_its_range(talker: Served, name: str, value: object) -> None:
    values: list[object] = [None] * 7
    values[1 + NUMBERS.index(name)] = value
    said = refusal(talker, [ASK, *values])
    assert f"{name} cannot be " in said
    assert "It is a" in said
    said = refusal(talker, [ASK, *values], "zh-CN")
    assert f"（{name}）" in said
    assert "应为" in said


@pytest.mark.parametrize("value", [7, True, [], {"text": "x"}])
def test_a_system_prompt_that_is_no_text_is_named(talker: Served, value: object) -> None:
    assert "system_prompt cannot be " in refusal(talker, [ASK, value, *[None] * 6])


def test_halves_of_characters_and_nul_are_marked_and_never_an_error(talker: Served) -> None:
    data = [{"text": "\ud800 a\0b \ud83e\udd8a\n/asked", "files": []}, "c\udfff\0", *[None] * 6]
    assert given_to_engine(talker, data)["messages"] == [
        ("system", "c\ufffd\ufffd"),
        ("user", "\ufffd a\ufffdb 🦊\n/asked"),
    ]


@pytest.mark.parametrize(
    "message",
    [5, "text", True, [], {}, {"text": None}, {"text": 5, "files": []}, {"text": "x", "files": None},
     {"text": "x", "files": ["a.png"]}, {"text": "x", "files": [{"path": 5}]}],
)  # fmt: skip
def test_a_question_of_another_form_is_named(talker: Served, message: object) -> None:
    said = refusal(talker, [message, *[None] * 7])
    assert said.startswith("message cannot be ")
    assert '{"text": "…", "files": […]}' in said


@pytest.mark.parametrize(
    "data",
    [[], [ASK]],
    ids=["nothing", "the question alone"],
)
def test_a_request_of_another_form_is_told_in_words(talker: Served, data: list[object]) -> None:
    for language, said in (("en", "cannot be read"), ("zh", "请求无法读取")):
        answer = httpx.post(
            f"{talker.url}/gradio_api/call/chat_talker",
            json={"data": data},
            headers={"accept-language": language},
            timeout=60,
        )
        assert answer.status_code == 400
        assert said in answer.json()["error"]


def test_a_file_that_was_not_uploaded_is_refused_at_once(talker: Served) -> None:
    data = [{"text": "x", "files": [NOT_UPLOADED]}, *[None] * 7]
    answer = httpx.post(f"{talker.url}/gradio_api/call/chat_talker", json={"data": data}, timeout=60)
    assert answer.status_code == 400
    assert "/etc/passwd" in answer.text


def test_the_way_of_gradios_own_clients_is_in_words_too(talker: Served) -> None:
    with httpx.Client(base_url=talker.url, timeout=60) as http:
        calls = http.get("/config").json()["dependencies"]
        number = next(each["id"] for each in calls if each["api_name"] == "chat_talker")
        asking = {"data": [ASK], "fn_index": number, "session_hash": "anyone"}
        http.post("/gradio_api/queue/join", json=asking).raise_for_status()
        events = http.get("/gradio_api/queue/data", params={"session_hash": "anyone"}).text
    assert "cannot be read" in events
    assert '"error":null' not in events.replace(" ", "")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(ANY_JSON, min_size=8, max_size=8), question=st.booleans())
def test_no_json_value_ends_in_an_error_without_a_word(
    talker: Served, data: list[object], question: bool
) -> None:
    event, answer = call(talker, [ASK, *data[1:]] if question else data)
    if event == "error":
        assert answer["error"]
        assert "something went wrong" not in answer["error"]
    else:
        assert event == "complete"
