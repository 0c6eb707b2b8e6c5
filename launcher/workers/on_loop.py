"""An engine in the launcher's own process, on the event loop of a thread: for one that computes nothing here
and imports nothing heavy, but asks a server. To its owner it is what a ``Supervisor`` is, and says the same
messages; it needs no process, no pipe and no sign of life.

An engine that blocks its loop blocks its own answers alone, and nothing can end it; so only engines whose
declaration says ``home="loop"`` live here.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from threading import Lock, Thread
from typing import TYPE_CHECKING

from launcher.engines.table import find
from launcher.errors import LauncherError
from launcher.workers.engine_host import EngineHost
from launcher.workers.failures import Failures
from launcher.workers.limits import Limits
from launcher.workers.logs import BoundedLog
from launcher.workers.protocol import (
    Broken,
    FromWorker,
    Load,
    LoadFailed,
    Prepare,
    Ready,
    Shutdown,
    Sleep,
    ToWorker,
)
from launcher.workers.supervisor import Ended, Report

if TYPE_CHECKING:
    from launcher.engines.base import EngineSpec


class _Phase(Enum):
    PREPARING = "preparing"
    LOADING = "loading"
    LOADED = "loaded"


class OnLoop:
    """Runs one engine on a thread. Its methods may be called from any thread and return at once, except
    `join`.

    Args:
        spec: how the engine is built.
        limits: of these, how long it may take to end.
        log: named in errors; nothing is printed to it.
        report: told all that the engine says, in the thread, ``Ended`` last and always; must not block.
    """

    pid: int | None = None

    def __init__(self, spec: EngineSpec, limits: Limits, log: BoundedLog, report: Report) -> None:
        self._spec = spec
        self._limits = limits
        self._report = report
        self._failures = Failures(spec.preset.name, log)
        self._loop = asyncio.new_event_loop()
        self._host: EngineHost | None = None
        self._life: asyncio.Task[None] | None = None
        self._early: list[ToWorker] = []
        self._lock = Lock()  # of the three above, until the thread has its host, and of the loop's end
        self._phase = _Phase.PREPARING
        self._stopping = False
        self._last_words: LoadFailed | Broken | None = None
        self._thread = Thread(target=self._run, name=f"engine of {spec.preset.name}", daemon=True)

    def start(self) -> None:
        """Begins the thread; the engine then stands by."""
        self.send(Prepare(find(self._spec.engine).runs, self._spec))
        self._thread.start()

    def load(self, spec: EngineSpec) -> None:
        """Has the engine load by this spec."""
        self._phase = _Phase.LOADING
        self.send(Load(find(spec.engine).runs, spec))

    def sleep(self) -> None:
        """Has the engine give back what it holds."""
        self.send(Sleep())

    def send(self, message: ToWorker) -> None:
        """Passes a message on. What is sent to an engine that is ending is lost: its end is reported for
        all."""
        with self._lock:
            if self._host is None:
                self._early.append(message)
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._host.inbox.put_nowait, message)

    def stop(self) -> None:
        """Begins the end: every answer is ended, the engine is closed; a load is called off."""
        self._stopping = True
        self.send(Shutdown())
        with self._lock:
            if self._life is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._end_soon, self._life)

    def join(self) -> None:
        """Waits until `Ended` was reported, or for as long as that may ever take."""
        self._thread.join(self._limits.end_s)

    def _end_soon(self, life: asyncio.Task[None]) -> None:
        """An engine that is loaded may take a moment over its end."""
        grace_s = self._limits.close_s if self._phase is _Phase.LOADED else 0.0
        self._loop.call_later(grace_s, life.cancel)

    def _run(self) -> None:
        defect: Exception | None = None
        try:
            self._loop.run_until_complete(self._live())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except Exception as error:  # noqa: BLE001 - the end of the engine: told to its owner
            defect = error
        with self._lock:
            self._loop.close()
        self._report(self._ended(defect))

    async def _live(self) -> None:
        host = EngineHost(self._hear)
        with self._lock:
            self._host = host
            self._life = asyncio.create_task(host.run())
            for message in self._early:
                host.inbox.put_nowait(message)
        if self._stopping:
            self._life.cancel()
        await asyncio.wait([self._life])
        if self._life.cancelled() and self._phase is not _Phase.LOADED:
            await asyncio.wait([closing := asyncio.create_task(host.close())], timeout=self._limits.close_s)
            closing.cancel()
        await self._end_of_tasks()
        if not self._life.cancelled():
            self._life.result()  # raises what nobody foresaw

    async def _end_of_tasks(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task(), self._life}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _hear(self, message: FromWorker) -> None:
        if self._last_words is not None:
            return  # answers that end by that are told of its reason by the owner
        if isinstance(message, LoadFailed | Broken):
            self._last_words = message
        elif isinstance(message, Ready):
            self._phase = _Phase.LOADED
        self._report(message)

    def _ended(self, defect: Exception | None) -> Ended:
        while_loading = self._phase is _Phase.LOADING
        if self._stopping:
            return Ended(None, while_loading=while_loading)
        error: LauncherError | None = self._last_words.error if self._last_words else None
        if defect is not None:
            error = self._failures.defect(defect)
        return Ended(error, retry=isinstance(self._last_words, Broken), while_loading=while_loading)
