"""A signal that ends the program, wherever it strikes."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

BOUND_S = 60.0
"""On waiting, not a measure."""
LOOP = """
    import asyncio, os, signal
    from asyncio.events import Handle
    from launcher.cli.signals import leave_when_told_to

    leave_when_told_to()
    run, steps = Handle._run, 0

    def struck(handle):
        global steps
        steps += 1
        if steps == {at}:
            os.kill(os.getpid(), {number})
        run(handle)

    Handle._run = struck

    async def talk():
        try:
            while True:
                await asyncio.sleep(0)
        finally:
            print("left", flush=True)

    asyncio.run(talk())
"""
"""An event loop that is struck as it is about to take a task's next step."""
NO_LOOP = """
    import os
    from launcher.cli.signals import leave_when_told_to

    leave_when_told_to()
    try:
        os.kill(os.getpid(), {number})
    finally:
        print("left", flush=True)
"""


def exit_code(code: str) -> int:
    """Of a program that says what it has left."""
    program = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert (done.stdout, done.stderr) == ("left\n", "")
    return done.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_is_left_by_its_finally(number: signal.Signals) -> None:
    assert exit_code(NO_LOOP.format(number=int(number))) == 128 + number


@pytest.mark.parametrize("at", [1, 2, 3, 10])
def test_an_event_loop_is_left_too_though_a_step_was_just_to_be_taken(at: int) -> None:
    assert exit_code(LOOP.format(at=at, number=int(signal.SIGHUP))) == 128 + signal.SIGHUP
