"""The bare engine in its worker's process: a page's own engine, asked past the page.

So a page and its engine are compared with one loaded model. Of two processes that load the same model, one
makes up to a fifth more tokens than the other on a GPU, by nothing but chance.

A model that runs on ``AskedWithin`` has a door beside the launcher's pipe: a Unix socket in a folder of this
user's alone. Both sides pickle.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import AsyncGenerator
from dataclasses import replace
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from threading import Thread

from launcher.bench import scripted
from launcher.bench.at_once import ask_at_once
from launcher.bench.figures import Round
from launcher.engines import table
from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.errors import EngineError, LauncherError
from launcher.messages import ChatRequest, Chunk
from launcher.readiness import Readiness
from launcher.workers.crossing_errors import came_over, to_cross
from launcher.workers.logs import default_log_folder

_PREFIX = "asked-within-"
_DOOR = "LAUNCHER_BENCH_DOOR"
"""The environment variable that tells a model's process where its door is to be."""


def with_door(model: Readiness, folder: Path) -> tuple[Readiness, Path]:
    """The same model on an engine that opens a door in ``folder`` once it has loaded, and the door. It is for
    one model of this process, which starts it."""
    runs = f"{AskedWithin.__module__}:{AskedWithin.__name__}"
    engine = replace(table.find(model.engine), name=f"{_PREFIX}{model.engine}", runs=runs)
    table.register(engine)
    door = folder / "door"
    os.environ[_DOOR] = str(door)
    return replace(model, engine=engine.name), door


def ask_within(door: Path, requests: tuple[ChatRequest, ...]) -> Round:
    """Has the engine behind the door answer all of this, asked at one moment.

    Raises:
        LauncherError: what it could not answer, or that its process is gone.
    """
    try:
        with Client(str(door), "AF_UNIX") as connection:
            connection.send(requests)
            said: Round | LauncherError = connection.recv()
    except (OSError, EOFError) as error:
        raise EngineError(
            "The process of the measured model has ended, or failed in a way that nobody foresaw.",
            hint="Measure again. Its log says why, in {folder}",
            folder=default_log_folder(),
        ) from error
    if isinstance(said, LauncherError):
        raise said
    return said


class AskedWithin:
    """An engine of the table, and its door; see ``launcher.engines.base``."""

    def __init__(self, spec: EngineSpec) -> None:
        scripted.register()  # this process is a worker's, and knows only the engines that users see
        engine = table.find(spec.engine.removeprefix(_PREFIX))
        self._engine = table.engine_class(engine.runs)(replace(spec, engine=engine.name))
        self._door: Listener | None = None

    async def prepare(self) -> None:
        """As the engine does."""
        await self._engine.prepare()

    async def load(self, progress: Progress) -> EngineFacts:
        """As the engine does; afterwards the door is open."""
        facts = await self._engine.load(progress)
        if self._door is None:
            door = Path(os.environ[_DOOR])
            door.unlink(missing_ok=True)  # of a process that was killed
            self._door = Listener(str(door), "AF_UNIX")
            loop = asyncio.get_running_loop()
            Thread(target=self._serve, args=(self._door, loop), name="door", daemon=True).start()
        return facts

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """As the engine does."""
        return self._engine.stream(request)

    async def sleep(self) -> None:
        """As the engine does."""
        await self._engine.sleep()

    async def close(self) -> None:
        """As the engine does."""
        await self._engine.close()

    def _serve(self, door: Listener, loop: asyncio.AbstractEventLoop) -> None:
        """One after the other; ends with the process. A defect is told by the connection's end, and stands in
        the log."""
        while True:
            with door.accept() as connection:
                try:
                    self._answer(connection, loop)
                except Exception:  # noqa: BLE001 - the thread goes on
                    traceback.print_exc()

    def _answer(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        answering = asyncio.run_coroutine_threadsafe(ask_at_once(self._engine, connection.recv()), loop)
        try:
            connection.send(answering.result())
        except LauncherError as error:
            connection.send(came_over(to_cross(error)))
