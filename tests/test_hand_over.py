"""What one thread has done on another's event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from threading import Thread
from typing import Any

import pytest

from launcher.hand_over import HandOver, to_this_loop


class CountingLoop:
    """A loop that is told of things and turns when it is let."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def call_soon_threadsafe(self, call: Any) -> None:
        self.told.append(call)

    def turn(self) -> None:
        calls, self.told = self.told, []
        for call in calls:
            call()


def test_the_loop_is_told_once_of_all_that_comes_before_it_turns() -> None:
    loop, one, two = CountingLoop(), asyncio.Queue[int](), asyncio.Queue[int]()
    hand_over = HandOver(loop)  # type: ignore[arg-type]
    for number in range(3):
        hand_over.call(partial(one.put_nowait, number))
        hand_over.call(partial(two.put_nowait, -number))
    assert len(loop.told) == 1
    loop.turn()
    assert [one.get_nowait() for _ in range(3)] == [0, 1, 2]
    assert [two.get_nowait() for _ in range(3)] == [0, -1, -2]
    assert one.empty()
    assert two.empty()
    hand_over.call(partial(one.put_nowait, 3))
    assert len(loop.told) == 1
    loop.turn()
    assert one.get_nowait() == 3


async def test_everything_arrives_in_order_from_another_thread() -> None:
    queues = [asyncio.Queue[int]() for _ in range(4)]
    hand_over = HandOver(asyncio.get_running_loop())

    def put_all() -> None:
        for number in range(20_000):
            hand_over.call(partial(queues[number % 4].put_nowait, number))

    thread = Thread(target=put_all)
    thread.start()
    for number in range(20_000):
        assert await queues[number % 4].get() == number
    thread.join()
    assert all(queue.empty() for queue in queues)


async def test_everybody_on_a_loop_shares_one() -> None:
    assert to_this_loop() is to_this_loop()
    assert to_this_loop().loop is asyncio.get_running_loop()


def test_each_loop_has_its_own_and_a_closed_one_is_told_nothing() -> None:
    async def here() -> HandOver:
        return to_this_loop()

    first, second = asyncio.run(here()), asyncio.run(here())
    assert first.loop is not second.loop
    first.call(lambda: pytest.fail("the loop is closed"))
