"""What the launcher and a model's process say to each other over their pipe: frozen values, no behaviour.
``wire`` makes bytes of them, and takes nothing for a message that does not have exactly these types.

The launcher says Prepare first, which the worker answers with StandingBy. Load is answered with any number of
Progressed and one Ready or LoadFailed; then come Ask and Cancel, and maybe Sleep, which is answered with
Slept and may be followed by another Load; Shutdown may come at any time. Each Ask is answered with text in
any number of Words, then one Said or one Failed; Broken ends them all.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from launcher.engines.base import EngineFacts, EngineSpec
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, Chunk


class _Message(Struct, frozen=True, tag=True, array_like=True):
    """Base of all: a list of the class's name and the values."""


class Prepare(_Message, frozen=True):
    """Import the engine and what it needs to load; leave the GPU alone. ``runs`` is its class,
    "package.module:Class", which the worker takes from nobody else."""

    runs: str
    spec: EngineSpec


class Load(_Message, frozen=True):
    """Load the model, or wake it. ``runs`` and ``spec`` are those of the device to be loaded on, which may be
    another than was prepared for; a sleeper wakes where it is."""

    runs: str
    spec: EngineSpec


class Sleep(_Message, frozen=True):
    """Give the GPU back; keep what makes the next Load fast."""


class Ask(_Message, frozen=True):
    """Answer ``request``; all that is said of it carries ``answer_id``."""

    answer_id: int
    request: ChatRequest


class Cancel(_Message, frozen=True):
    """Nobody reads this answer any more: end it within one token."""

    answer_id: int


class Shutdown(_Message, frozen=True):
    """End every answer, close the engine and exit."""


class Heartbeat(_Message, frozen=True):
    """The worker's event loop turns."""


class StandingBy(_Message, frozen=True):
    """Nothing is left to import."""


class Progressed(_Message, frozen=True):
    """Loading is at ``stage``, of which ``fraction`` (0 to 1) is done."""

    stage: str
    fraction: Annotated[float, Meta(ge=0, le=1)]


class Ready(_Message, frozen=True):
    """The model is loaded."""

    facts: EngineFacts


class Slept(_Message, frozen=True):
    """The GPU is given back."""


class LoadFailed(_Message, frozen=True):
    """The engine refused to prepare or to load and says why; the worker exits."""

    error: LauncherError


class Words(_Message, frozen=True):
    """What answers have said since the last Words: (answer id, text), each answer at most once."""

    pieces: tuple[tuple[int, str], ...]


class Said(_Message, frozen=True):
    """The last piece of an answer; ``chunk`` has ``finish``."""

    answer_id: int
    chunk: Chunk


class Failed(_Message, frozen=True):
    """An answer ended in an error; the other answers go on."""

    answer_id: int
    error: LauncherError


class Broken(_Message, frozen=True):
    """An answer showed that the engine is broken; the worker exits, and this is why no answer goes on."""

    error: LauncherError


ToWorker = Prepare | Load | Sleep | Ask | Cancel | Shutdown
FromWorker = Heartbeat | StandingBy | Progressed | Ready | Slept | LoadFailed | Words | Said | Failed | Broken
