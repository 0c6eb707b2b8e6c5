"""A page's engine that is asked in its own process, past the page."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import Listener
from pathlib import Path
from threading import Thread

import pytest

from launcher.bench import page_child
from launcher.bench.asked_within import ask_within
from launcher.bench.child import Child
from launcher.bench.scripted_models import scripted_models
from launcher.errors import EngineError
from launcher.messages import ChatRequest, GenerationOptions, Message


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Child]:
    """It has one model, which is loaded."""
    (model,) = scripted_models(tmp_path)
    with page_child.page_process() as page:
        page.ask(page_child.Serve((model,), tmp_path, is_asked_within=True))
        page.ask(page_child.LoadModel(model.preset.name))
        yield page


def saying(*scripts: str) -> page_child.AskWithin:
    options = GenerationOptions(max_new_tokens=1000)
    return page_child.AskWithin(tuple(ChatRequest((Message("user", each),), options) for each in scripts))


def test_the_pages_own_engine_answers(page: Child) -> None:
    for _ in range(2):
        said = page.ask(saying("/pace 1000 20", "/pace 1000 30"))
        assert said.tokens == 50
        assert len(said.timings) == 2
        assert all(0 < each.first_s < each.end_s <= said.seconds for each in said.timings)
    assert page.ask(page_child.TakeTokens()) == 0, "no answer went through the page"


def test_what_it_cannot_answer_is_told_and_it_goes_on(page: Child) -> None:
    with pytest.raises(EngineError, match="The script has no command /nonsense"):
        page.ask(saying("/nonsense"))
    assert page.ask(saying("one two three")).tokens == 3


def test_a_process_that_is_gone_or_goes_is_told(tmp_path: Path) -> None:
    door = tmp_path / "door"
    with pytest.raises(EngineError, match="The process of the measured model has ended"):
        ask_within(door, ())
    with Listener(str(door), "AF_UNIX") as listener:
        opens_and_ends = Thread(target=lambda: listener.accept().close())
        opens_and_ends.start()
        with pytest.raises(EngineError, match="The process of the measured model has ended"):
            ask_within(door, ())
        opens_and_ends.join()
