"""One engine that does what the launcher's messages say, wherever it lives: in a model's own process
(``worker``) or on a thread of the launcher's (``on_loop``). Loads it, streams each answer, cancels,
puts it to sleep and wakes it. Knows nothing of other models, of restarts, or of how messages travel.

Everything happens on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from launcher.devices import VISIBLE_DEVICES
from launcher.engines.base import Engine, EngineSpec
from launcher.engines.table import engine_class
from launcher.errors import EngineBroken, EngineError, LauncherError
from launcher.large_imports import uncollected
from launcher.messages import ChatRequest, Chunk
from launcher.request_checks import check_length
from launcher.workers.engine_failures import answer_defect, load_failure
from launcher.workers.gathering import Gathering
from launcher.workers.protocol import (
    Ask,
    Broken,
    Cancel,
    Failed,
    FromWorker,
    Load,
    LoadFailed,
    Prepare,
    Progressed,
    Ready,
    Said,
    Shutdown,
    Sleep,
    Slept,
    StandingBy,
    ToWorker,
)

Result = TypeVar("Result")


class Over(Exception):
    """The engine's life ends, and this is to be said before."""

    def __init__(self, last_words: LoadFailed | Broken) -> None:
        super().__init__(last_words)
        self.last_words = last_words


class EngineHost:
    """One engine, told by messages.

    Args:
        say: takes what is said to the launcher; called on the loop, and from the thread that an engine loads
            in.
    """

    def __init__(self, say: Callable[[FromWorker], None]) -> None:
        self.inbox: asyncio.Queue[ToWorker | Broken] = asyncio.Queue()
        self._say = say
        self._spec: EngineSpec | None = None
        self._engine: Engine | None = None
        self._session_tokens = 0
        self._answers: dict[int, asyncio.Task[None]] = {}
        self._gathering = Gathering(say)

    async def run(self) -> None:
        """Does what is told in ``inbox``, in order, until Shutdown, a failed load or a broken engine."""
        try:
            while not isinstance(message := await self.inbox.get(), Shutdown):
                await self.obey(message)
        except Over as over:
            self._gathering.flush()
            self._say(over.last_words)
            if isinstance(over.last_words, Broken):
                return  # what is broken cannot be relied on to close
        await self.close()

    async def obey(self, message: ToWorker | Broken) -> None:
        """Does what one message says.

        Raises:
            Over: the engine's life ends by this.
        """
        match message:
            case Broken():
                raise Over(message)
            case Prepare(runs, spec):
                self._spec = spec
                self._say(Progressed("libraries", 0.0))
                await self._or_fail(self._prepare(runs, spec))
                self._say(StandingBy())
            case Load(runs, spec):
                await self._or_fail(self._take_place(runs, spec))
                facts = await self._or_fail(self._loaded_engine().load(self._progressed))
                self._session_tokens = facts.session_tokens
                self._say(Ready(facts))
            case Sleep():
                await self._loaded_engine().sleep()
                self._say(Slept())
            case Ask():
                self._begin(message)
            case Cancel(answer_id):
                if answer := self._answers.get(answer_id):
                    answer.cancel()

    def _progressed(self, stage: str, fraction: float) -> None:
        self._say(Progressed(stage, min(1.0, max(0.0, fraction))))

    async def _take_place(self, runs: str, spec: EngineSpec) -> None:
        """From here on the spec's card is the only one that CUDA shows this process; it reads the variable
        when it is first used. Where another device was prepared for, with another plan, the engine is built
        anew, of what is imported already."""
        if spec.card:
            os.environ[VISIBLE_DEVICES] = spec.card
        if self._spec is None or replace(self._spec, card=spec.card) != spec:
            await self._prepare(runs, spec)
        self._spec = spec

    async def _prepare(self, runs: str, spec: EngineSpec) -> None:
        with uncollected():
            self._engine = engine_class(runs)(spec)
            await self._engine.prepare()

    async def _or_fail(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except Exception as error:
            if not isinstance(error, LauncherError):
                traceback.print_exc()
            raise Over(LoadFailed(load_failure(self._spec, error))) from error

    def _loaded_engine(self) -> Engine:
        assert self._engine is not None, "the launcher says Prepare first"
        return self._engine

    def _begin(self, ask: Ask) -> None:
        task = asyncio.create_task(self._answer(ask.answer_id, ask.request))
        self._answers[ask.answer_id] = task
        task.add_done_callback(lambda done: self._finished(ask.answer_id, done))

    async def _answer(self, answer_id: int, request: ChatRequest) -> None:
        check_length(request, self._session_tokens)  # the launcher may not have known yet
        async with contextlib.aclosing(self._loaded_engine().stream(request)) as chunks:
            async for chunk in chunks:
                if chunk.finish is not None:
                    self._gathering.end(answer_id)
                    self._say(Said(answer_id, chunk))
                    return
                self._gathering.add(answer_id, chunk.text)
        raise EngineError(
            "The engine ended an answer without saying why.", hint="This is a defect; please report it."
        )

    def _finished(self, answer_id: int, task: asyncio.Task[None]) -> None:
        del self._answers[answer_id]
        self._gathering.end(answer_id)
        if task.cancelled():
            self._say(Said(answer_id, Chunk("", finish="cancelled")))
        elif (error := task.exception()) is not None:
            if not isinstance(error, LauncherError):
                traceback.print_exception(error)
                error = answer_defect(error)
            if isinstance(error, EngineBroken):
                self.inbox.put_nowait(Broken(error))
            else:
                self._say(Failed(answer_id, error))

    async def close(self) -> None:
        """Ends every answer and closes the engine."""
        for task in self._answers.values():
            task.cancel()
        await asyncio.gather(*self._answers.values(), return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
