"""The bare engine: the engine class, asked in the process that it runs in. No word crosses a pipe; only
figures do."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from launcher.bench.at_once import ask_at_once
from launcher.bench.child import Child, child, serve_pipe
from launcher.bench.figures import Round
from launcher.engines.base import Engine, EngineFacts, EngineSpec
from launcher.engines.table import engine_class
from launcher.messages import ChatRequest


@dataclass(frozen=True, slots=True)
class Load:
    """Build the engine and load the model; answered with its facts. ``runs`` is the engine's class,
    "package.module:Class"."""

    runs: str
    spec: EngineSpec


@dataclass(frozen=True, slots=True)
class AskAll:
    """Ask all of this at one moment; answered with a ``Round``."""

    requests: tuple[ChatRequest, ...]


def engine_process() -> AbstractContextManager[Child]:
    """The engine's process, to be told to ``Load``."""
    return child(__name__, "engine")


def main(pipe_fd: int, _heartbeat_s: float, launcher_pid: int) -> None:
    """Serves the pipe until it ends; does not return."""
    serve_pipe(_BareEngine(), pipe_fd, launcher_pid)


class _BareEngine:
    def __init__(self) -> None:
        self._engine: Engine | None = None

    async def answer(self, message: Load | AskAll) -> EngineFacts | Round:
        match message:
            case Load(runs, spec):
                self._engine = engine_class(runs)(spec)
                await self._engine.prepare()
                return await self._engine.load(lambda _stage, _fraction: None)
            case AskAll(requests):
                assert self._engine is not None, "Load comes first"
                return await ask_at_once(self._engine, requests)

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.close()
