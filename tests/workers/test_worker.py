"""What a model's process says, and when it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from launcher.messages import Chunk
from launcher.workers.message_pipe import MessagePipe, message_pipe
from launcher.workers.protocol import FromWorker, Progressed, Said, Words
from launcher.workers.wire import from_worker
from launcher.workers.worker import Worker

MOST_BYTES = 1 << 20
NEVER_S = 3600.0


def heard(launcher: MessagePipe) -> list[FromWorker]:
    """All that has come."""
    messages = []
    while (data := launcher.receive(0.0)) is not None:
        messages.append(from_worker(data))
    return messages


@contextmanager
def both_ends() -> Iterator[tuple[Worker, MessagePipe]]:
    launcher, theirs = message_pipe(MOST_BYTES)
    pipe = MessagePipe(theirs, MOST_BYTES)
    try:
        yield Worker(pipe, NEVER_S), launcher
    finally:
        pipe.close()
        launcher.close()


async def test_what_is_said_in_one_turn_goes_together_after_it() -> None:
    with both_ends() as (worker, launcher):
        said = [Words(((number, "word"),)) for number in range(32)] + [Said(1, Chunk("", finish="stop"))]
        for message in said:
            worker._say(message)
        assert heard(launcher) == []
        await asyncio.sleep(0)
        assert heard(launcher) == said
        worker._say(said[0])
        await asyncio.sleep(0)
        assert heard(launcher) == said[:1]


async def test_progress_goes_at_once_behind_what_was_said_before() -> None:
    """An engine may hold the loop up while it loads, or tell from another thread."""
    with both_ends() as (worker, launcher):
        words, progress = Words(((1, "word"),)), Progressed("weights", 0.5)
        worker._say(words)
        worker._say(progress)
        assert heard(launcher) == [words, progress]
        thread = Thread(target=worker._say, args=(progress,))
        thread.start()
        thread.join()
        assert heard(launcher) == [progress]
