"""When the scheduler is asked though nothing has happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread

from launcher.workers.alarm import Alarm

FAR_S = 3600.0


@contextmanager
def waiting(in_s: float | None) -> Iterator[tuple[Alarm, RLock, Event]]:
    """An alarm that is waited for, its lock, and whether the wait has ended."""
    lock, begun, over = RLock(), Event(), Event()
    alarm = Alarm(lock)

    def wait() -> None:
        now_s = time.monotonic()
        with lock:
            begun.set()
            alarm.wait(None if in_s is None else now_s + in_s, now_s)
        over.set()

    thread = Thread(target=wait, daemon=True)
    thread.start()
    begun.wait()
    yield alarm, lock, over
    with lock:
        alarm.ring()
    thread.join(10)
    assert over.is_set()


def test_it_ends_when_something_is_due() -> None:
    with waiting(0.001) as (_, _, over):
        assert over.wait(10)


def test_what_is_due_sooner_ends_it() -> None:
    with waiting(FAR_S) as (alarm, lock, over):
        with lock:
            alarm.set(time.monotonic() + 1)
        assert over.wait(10)


def test_anything_that_is_due_ends_a_wait_for_nothing() -> None:
    with waiting(None) as (alarm, lock, over):
        with lock:
            alarm.set(time.monotonic() + FAR_S)
        assert over.wait(10)


def test_what_is_due_later_or_never_wakes_nobody() -> None:
    with waiting(FAR_S) as (alarm, lock, over):
        for due_s in (time.monotonic() + 2 * FAR_S, None):
            with lock:
                alarm.set(due_s)
        assert not over.wait(0.2)
