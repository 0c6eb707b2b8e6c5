"""What is asked, and that a scripted answer which comes back changed is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.bench.workload import Workload
from launcher.errors import EngineError


def test_a_scripted_engine_is_asked_for_as_many_words() -> None:
    (question,) = Workload(512, rate=62.5).conversation(person=3, tokens=32)
    assert (question.role, question.text, question.pictures) == ("user", "/pace 62.5 32", ())


def test_each_person_asks_a_model_something_else() -> None:
    work = Workload(512, image=Path("a.png"))
    texts = {work.conversation(person, 512)[-1].text for person in range(8)}
    assert len(texts) == 8
    assert work.conversation(0, 512)[-1].pictures == (Path("a.png"),)


def test_what_came_before_is_sent_along_with_all_its_pictures() -> None:
    pictures = tuple(Path(f"{number}.png") for number in range(3))
    *history, question = Workload(512, turns=4, pictures=pictures).conversation(0, 512)
    assert [each.role for each in history] == ["user", "assistant"] * 4
    assert question.role == "user"
    assert [each.pictures for each in history[::2]] == [*((each,) for each in pictures), ()]
    assert all(each.text for each in history)


@pytest.mark.parametrize("text", ["0 1 2 3 ", "0 1 2 3", "[a.png] 0 1 2 3 "])
def test_an_answer_that_is_all_there(text: str) -> None:
    Workload(4, rate=1.0).check(text, 4)


@pytest.mark.parametrize("text", ["", "0 1 2 ", "0 1 3 ", "0 1 2 3 4 "])
def test_an_answer_that_is_not_what_was_said(text: str) -> None:
    with pytest.raises(EngineError, match="did not come back as it was said"):
        Workload(4, rate=1.0).check(text, 4)


def test_a_models_answer_may_be_anything() -> None:
    Workload(4).check("", 4)
