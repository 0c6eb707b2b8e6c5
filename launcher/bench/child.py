"""A process of a measurement, spawned as workers are and asked over its pipe, one thing at a time.

Both sides pickle any value of theirs: unlike a worker, the process holds nothing that others have sent, and
is there for the command that a person has typed. What it prints goes to a log of its own. It ends with the
launcher, however that ends.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from launcher.errors import LauncherError, WorkerDied
from launcher.workers.crossing_errors import came_over, to_cross
from launcher.workers.failures import exit_in_words
from launcher.workers.leftovers import Leftovers
from launcher.workers.limits import Limits
from launcher.workers.logs import BoundedLog, default_log_folder, log_path
from launcher.workers.message_pipe import MessagePipe
from launcher.workers.process import ChildProcess

MESSAGE_BYTES = 1 << 30
"""A conversation for each of many people may be long."""

_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Done:
    """What the process answers to a message: a value."""

    value: Any


class Part(Protocol):
    """What one such process does."""

    async def answer(self, message: Any) -> Any:
        """Does what a message says; what it raises of ``launcher.errors`` is raised where it was asked."""
        ...

    async def close(self) -> None:
        """Gives back all that is held."""
        ...


class Child:
    """The process as it is asked; made by ``child``."""

    def __init__(self, name: str, process: ChildProcess, log: BoundedLog) -> None:
        self._name, self._process, self._log = name, process, log

    def ask(self, message: Any) -> Any:
        """What the process answers.

        Raises:
            LauncherError: what it could not do.
            WorkerDied: it has ended.
        """
        try:
            self._process.pipe.send(pickle.dumps(message))
            reply = _received(self._process.pipe)
        except (EOFError, OSError) as error:
            raise self._died() from error
        if isinstance(reply, LauncherError):
            raise reply
        assert isinstance(reply, Done)
        return reply.value

    def _died(self) -> WorkerDied:
        exit_code = self._process.end(_LIMITS.close_s)
        return WorkerDied(
            "The measurement's {name} stopped unexpectedly: its process ended with {exit}.",
            hint="Measure again. Its log {log} ends:\n{last_lines}",
            name=self._name,
            exit=exit_in_words(exit_code),
            log=str(self._log.path),
            last_lines="\n".join(self._log.last_lines()) or "(it printed nothing)",
        )


@contextmanager
def child(module: str, name: str, grace_s: float = _LIMITS.close_s) -> Iterator[Child]:
    """A process that runs ``module``'s ``main``; afterwards it is gone, with all that it has spawned.

    Args:
        module: the module.
        name: what the process is called.
        grace_s: how long it may take to end by itself.

    Raises:
        OSError: no process can be started.
    """
    log = BoundedLog(log_path(default_log_folder(), f"bench-{name}"))
    leftovers = Leftovers()
    try:
        process = ChildProcess(f"bench-{name}", _LIMITS, log, leftovers, module)
        try:
            yield Child(name, process, log)
        finally:
            process.pipe.close()
            process.end(grace_s)
    finally:
        leftovers.close()


def serve_pipe(part: Part, pipe_fd: int, launcher_pid: int) -> None:
    """The child's whole life: answers what the pipe says until it ends; does not return."""
    from launcher.workers.worker import die_with

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher ends it
    faulthandler.enable()
    die_with(launcher_pid)
    asyncio.run(_life(part, MessagePipe.inherited(pipe_fd, MESSAGE_BYTES)))


async def _life(part: Part, pipe: MessagePipe) -> None:
    """Ends the process from within the loop, whose own end waits for its threads: for the one that reads the
    pipe, and those that an engine or its libraries left behind."""
    exit_code = 1
    try:
        await _serve(part, pipe)
        exit_code = 0
    except BaseException:  # noqa: BLE001 - the end of the process
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


async def _serve(part: Part, pipe: MessagePipe) -> None:
    """Nothing is said to the process while it has something to answer: what comes then is the pipe's end."""
    heard = asyncio.create_task(asyncio.to_thread(_received, pipe))
    try:
        while True:
            message = await heard
            heard = asyncio.create_task(asyncio.to_thread(_received, pipe))
            answering = asyncio.create_task(_reply(part, message))
            await asyncio.wait([answering, heard], return_when=asyncio.FIRST_COMPLETED)
            if heard.done():
                answering.cancel()
            else:
                pipe.send(pickle.dumps(answering.result()))
    except EOFError:  # all is measured, or the launcher is gone
        pass
    finally:
        await part.close()


async def _reply(part: Part, message: Any) -> Done | LauncherError:
    try:
        return Done(await part.answer(message))
    except LauncherError as error:
        return came_over(to_cross(error))


def _received(pipe: MessagePipe) -> Any:
    """Raises EOFError or OSError where the other side is gone."""
    while (message := pipe.receive()) is None:
        pass
    return pickle.loads(message)
