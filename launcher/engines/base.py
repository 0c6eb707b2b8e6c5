"""The Engine protocol: all that a worker knows of an engine.

An engine is built in the worker process with a spec, prepares once, loads, answers any number of requests
side by side and is closed once. One whose facts say that it sleeps may be put to sleep when it answers
nobody, and is woken by loading it again. Failures are raised as ``launcher.errors`` exceptions; anything else
that escapes is a defect and is reported as such.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from launcher.memory import MemoryPlan
from launcher.messages import ChatRequest, Chunk
from launcher.presets import Preset

Progress = Callable[[str, float], None]
"""Called while loading with what is being done ("weights", "warm-up") and the fraction done, 0 to 1."""


LOG_VARIABLE = "LAUNCHER_MODEL_LOG"
"""Environment variable of a worker process: the file that all it prints goes to."""


def log_place() -> str:
    """Where what this process prints can be read, for errors that send people there."""
    return os.environ.get(LOG_VARIABLE, "the terminal")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an exception of any library says that memory ran out."""
    return isinstance(error, MemoryError) or (error is not None and says_out_of_memory(str(error)))


def says_out_of_memory(text: str) -> bool:
    """CUDA, PyTorch and TurboMind each say it in these words."""
    return "out of memory" in text.lower()


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is built from. ``device`` is a torch device name: "cpu", "mps", "cuda:0"; or "remote"
    for a server, and then ``folder`` means nothing.

    ``plan`` is None on the CPU, and for engines that need none; ``size_bytes`` says there what the model
    takes of its device, None where that is too little to count. ``makes_room`` says that other models may
    want its place, so that it is worth keeping what makes sleeping and waking fast. ``card`` is the uuid of
    the GPU that is to be the process's only one, its "cuda:0"; "" leaves it what the launcher sees.
    """

    engine: str
    preset: Preset
    folder: Path
    device: str
    plan: MemoryPlan | None = None
    makes_room: bool = False
    size_bytes: int | None = None
    card: str = ""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What a loaded engine says of itself.

    ``session_tokens`` bounds prompt plus answer; ``max_tiles`` one picture's tiles, where it is cut;
    ``sleeps`` says that it has ``sleep``.
    """

    engine: str
    device: str
    session_tokens: int
    max_tiles: int | None
    load_s: float
    sleeps: bool = False


class Engine(Protocol):
    """One loaded model. All methods run on the worker's event loop and must not block it for longer than a
    token."""

    def __init__(self, spec: EngineSpec) -> None: ...

    async def prepare(self) -> None:
        """Imports what loading needs, and leaves the device alone.

        Raises:
            MissingPart: a package is not installed, or not whole.
        """
        ...

    async def load(self, progress: Progress) -> EngineFacts:
        """Reads the weights and warms up; wakes an engine that sleeps.

        Raises:
            CheckpointError: the folder is not what the engine can run.
            EngineError: loading failed; the message says why.
        """
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answers one request, a chunk at a time; closing the generator stops the engine within one token.

        Raises:
            RequestError: the conversation does not fit the session, or asks what this model cannot do.
            PictureError: a picture cannot be read.
            EngineBroken: the engine failed, and so will every other request; the process has to end.
            EngineError: the engine failed over this request.
        """
        ...

    async def sleep(self) -> None:
        """Gives the device back, and keeps in this process what makes the next load fast. Nobody is being
        answered meanwhile.

        Raises:
            EngineError: it cannot; the process has to end.
        """
        ...

    async def close(self) -> None:
        """Gives back all that the engine holds."""
        ...
