"""A reader's rest between two looks at an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread

import pytest

from launcher.errors import EngineError
from launcher.messages import Chunk
from launcher.workers.answers import Answer

LONG_S = 3600.0

ENDS: dict[str, Callable[[Answer], object]] = {
    "its last chunk": lambda answer: answer.finish(Chunk("", finish="stop")),
    "an error": lambda answer: answer.finish(EngineError("broken")),
    "being cancelled": lambda answer: answer.cancel(),
}


def an_answer() -> Answer:
    return Answer(on_cancel=lambda: None)


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_of_the_answer_ends_the_rest(end: str) -> None:
    answer = an_answer()
    rest = asyncio.ensure_future(answer.rest(LONG_S))
    await asyncio.sleep(0)
    Thread(target=ENDS[end], args=(answer,)).start()  # as a supervisor does
    await rest


@pytest.mark.parametrize("end", ENDS)
async def test_an_answer_that_has_ended_lets_nobody_rest(end: str) -> None:
    answer = an_answer()
    ENDS[end](answer)
    await answer.rest(LONG_S)


async def test_words_do_not_end_the_rest() -> None:
    answer = an_answer()
    rest = asyncio.ensure_future(answer.rest(LONG_S))
    await asyncio.sleep(0)
    answer.push("word")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not rest.done()
    assert await anext(answer) == Chunk("word")
    answer.cancel()
    await rest


async def test_a_rest_ends_by_itself() -> None:
    answer = an_answer()
    await answer.rest(0.001)
    answer.push("word")
    await answer.rest(0.001)
    assert await anext(answer) == Chunk("word")


async def test_a_reader_that_is_cancelled_while_it_rests_leaves_the_answer_as_it_is() -> None:
    answer = an_answer()
    rest = asyncio.ensure_future(answer.rest(LONG_S))
    await asyncio.sleep(0)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest
    assert answer.finish(Chunk("", finish="stop"))
    assert await anext(answer) == Chunk("", finish="stop")
