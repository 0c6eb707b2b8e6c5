"""Messages on their way to a process, over a real pair of sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from launcher.workers.message_pipe import MessagePipe, message_pipe
from launcher.workers.outbox import Outbox

MOST_BYTES = 1 << 26
LARGE = b"x" * (1 << 22)
"""More than a socket takes at once."""


@contextmanager
def open_outbox() -> Iterator[tuple[Outbox, MessagePipe]]:
    """An outbox, and what a process would read from."""
    ours, theirs = message_pipe(MOST_BYTES)
    outbox, process = Outbox(), MessagePipe(theirs, MOST_BYTES)
    thread = Thread(target=outbox.run, args=(ours,))
    outbox.put(b"before there is a process")
    thread.start()
    assert received(process) == b"before there is a process"
    try:
        yield outbox, process
    finally:
        outbox.close()
        process.close()
        thread.join(10)
        assert not thread.is_alive()
        ours.close()


def received(process: MessagePipe) -> bytes:
    while (message := process.receive(10)) is None:
        pass
    return message


def test_what_fits_is_sent_by_who_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_outbox() as (outbox, process):
        while outbox._unsent:  # the other thread has sent it, and is about to say so
            time.sleep(0.001)
        handed_on: list[bytes] = []
        monkeypatch.setattr(MessagePipe, "send_on", lambda _, data: handed_on.append(data))
        for number in range(100):
            outbox.put(b"%d" % number)
        assert [received(process) for _ in range(100)] == [b"%d" % number for number in range(100)]
        assert not handed_on


def test_what_does_not_fit_blocks_nobody_and_stays_in_order() -> None:
    with open_outbox() as (outbox, process):
        for number in range(4):
            outbox.put(LARGE + b"%d" % number)
            outbox.put(b"small %d" % number)
        for number in range(4):
            assert received(process) == LARGE + b"%d" % number
            assert received(process) == b"small %d" % number
        outbox.put(b"at once again")
        assert received(process) == b"at once again"


def test_a_process_that_is_gone_is_no_failure() -> None:
    with open_outbox() as (outbox, process):
        process.close()
        for _ in range(3):
            outbox.put(b"lost")
        outbox.put(LARGE)
