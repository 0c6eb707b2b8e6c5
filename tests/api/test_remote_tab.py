"""A tab whose model is on a server: another launcher's endpoint, with models that play scripts. What is asked
arrives there as it was asked, and what is stopped is stopped there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image

from launcher.devices import Devices
from launcher.errors import EngineError, RequestError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message
from launcher.presets import Preset
from launcher.readiness import Readiness, assess, installed_engines
from launcher.workers.states import ModelState, ProcessState
from tests.ui.asked import asked
from tests.ui.scripted_page import Served, served
from tests.workers.stage import question, read, status, wait_for_state, wait_until

OPTIONS = GenerationOptions(77, 0.75, 0.9, 7, 1.25, 12345)


def remote(name: str, url: str, model: str, **keys: Any) -> Readiness:
    """A preset for a model on a server."""
    values = {
        "name": name,
        "title": name,
        "kind": "vision",
        "engine": {"openai": {"url": f"{url}/v1", "model": model}},
        **keys,
    }
    return assess(Preset.model_validate(values), Devices((), 0, 0), installed_engines())


@dataclass(frozen=True)
class Both:
    """``here`` has tabs for models of ``there``."""

    here: Served
    there: Served


@pytest.fixture(scope="module")
def both(page: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder: Path = tmp_path_factory.mktemp("remote")
    models = [
        remote("far", page.url, "one", chat={"stop": "END"}),
        remote("far-words", page.url, "two", kind="text"),
        remote("far-short", page.url, "short"),
        remote("nobody", page.url, "three"),
    ]
    with served(models, folder) as here:
        yield Both(here, page)


def last(answer: Any) -> tuple[str, Chunk]:
    chunks = list(answer)
    return "".join(chunk.text for chunk in chunks), chunks[-1]


def test_a_conversation_arrives_as_it_was_asked(both: Both) -> None:
    messages = (
        Message("system", "Be kind.\n你好 🦊"),
        Message("user", "first"),
        Message("assistant", "said <b>&amp;</b>"),
        Message("user", "/asked"),
    )
    given = asked(read(both.here.manager.ask("far", ChatRequest(messages, OPTIONS))))
    assert given["messages"] == [(each.role, each.text) for each in messages]
    names = ("max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed")
    assert given["options"] == {name: getattr(OPTIONS, name) for name in names}


def test_the_presets_stop_text_and_a_persons_own_go_along(both: Both) -> None:
    given = read(both.here.manager.ask("far", ChatRequest((Message("user", "/asked"),), stop=("mine",))))
    assert '"stop": ["END", "mine"]' in given


@pytest.mark.parametrize(("size", "seen"), [((320, 240), (320, 240)), ((3200, 2400), (1791, 1343))])
def test_pictures_arrive_within_what_the_preset_allows(
    both: Both, tmp_path: Path, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    """While the answer waits at a gate, the pictures lie where the other launcher keeps them."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture.save(tmp_path / "p.png")
    gate = both.there.gate(f"gate-{size[0]}")
    text = f"here\n/wait {gate}"
    with both.here.manager.ask("far", ChatRequest((Message("user", text, (tmp_path / "p.png",)),))) as answer:
        begun = next(answer).text
        assert begun.startswith("[picture-1]")
        (arrived,) = both.there.folder.glob("request-*/picture-1")
        content = arrived.read_bytes()
        both.there.open(gate)
        assert "here" in begun + read(answer)
    with Image.open(io.BytesIO(content)) as found:
        assert found.size == seen
        if size == seen:
            assert found.tobytes() == picture.tobytes()


def test_what_it_cost_is_what_the_server_counted(both: Both) -> None:
    text, end = last(both.here.manager.ask("far", question("some five words of text")))
    assert text.split() == ["some", "five", "words", "of", "text"]
    assert end.finish == "stop"
    assert end.usage is not None
    assert (end.usage.prompt_tokens, end.usage.new_tokens) == (5, 5)
    assert 0 < end.usage.first_token_s <= end.usage.total_s


def test_an_answer_that_is_long_enough_and_one_that_fills_the_session(both: Both) -> None:
    assert last(both.here.manager.ask("far", question("/say 50", 9)))[1].finish == "length"
    assert last(both.here.manager.ask("far-short", question("/say 500", 1000)))[1].finish == "session_full"


def test_stopping_it_here_stops_the_engine_there(both: Both) -> None:
    there = both.there.manager
    with both.here.manager.ask("far", question("/endless")) as answer:
        assert next(answer).text
        wait_until(there, lambda: status(there, "one").running == 1)
        answer.cancel()
        wait_until(there, lambda: status(there, "one").running == 0)
    assert read(both.here.manager.ask("far", question("still there"))).split() == ["still", "there"]


def test_errors_of_the_other_engine_keep_their_words(both: Both) -> None:
    with pytest.raises(EngineError, match=r"failed over this answer: The script failed: oh|failed \(5"):
        read(both.here.manager.ask("far", question("/fail oh")))
    long = ChatRequest((Message("user", "x"), Message("assistant", "y"), Message("user", "z" * 40_000)))
    with pytest.raises(RequestError, match="refuses the question"):
        read(both.here.manager.ask("far-short", long))


def test_a_model_that_the_server_lacks_fails_with_those_that_it_has(both: Both) -> None:
    with pytest.raises(EngineError) as found:
        both.here.manager.ensure_ready("nobody")
    assert "has no model three\nWrite one that it has for model in the preset: one, two, short" in str(
        found.value
    )
    assert status(both.here.manager, "nobody").state is ModelState.FAILED


def test_it_takes_no_process_and_no_memory_and_comes_back_after_it_was_unloaded(both: Both) -> None:
    here = both.here.manager
    here.ensure_ready("far-words")
    found = status(here, "far-words")
    assert (found.state, found.process, found.is_remote) == (ModelState.READY, ProcessState.ENGAGED, True)
    assert here._processes.pids() == {}
    assert here.device_uses() == ()
    here.unload("far-words")
    wait_for_state(here, ModelState.ASLEEP, "far-words")
    assert read(here.ask("far-words", question("/name"))) == "two"


def test_our_own_endpoint_serves_it_like_any_other(both: Both) -> None:
    with OpenAI(base_url=f"{both.here.url}/v1", api_key="none", max_retries=0) as client:
        assert [each.id for each in client.models.list()] == ["far", "far-words", "far-short", "nobody"]
        made = client.chat.completions.create(model="far", messages=[{"role": "user", "content": "/name"}])
        assert made.choices[0].message.content == "one"
        assert made.usage is not None
