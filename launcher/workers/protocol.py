"""What the launcher and a model's process say to each other over their pipe: frozen, picklable; no behaviour
but `sendable`.

The launcher says Prepare first, which the worker answers with StandingBy. Load is answered with any number of
Progressed and one Ready or LoadFailed; then come Ask and Cancel, and maybe Sleep, which is answered with
Slept and may be followed by another Load; Shutdown may come at any time. Each Ask is answered with text in
any number of Words, then one Said or one Failed; Broken ends them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher import errors
from launcher.errors import EngineError, LauncherError
from launcher.messages import ChatRequest, Chunk

if TYPE_CHECKING:
    from launcher.engines.base import EngineFacts, EngineSpec


@dataclass(frozen=True, slots=True)
class Prepare:
    """Import what the engine needs to load; leave the GPU alone."""

    spec: EngineSpec


@dataclass(frozen=True, slots=True)
class Load:
    """Load the model, or wake it."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Give the GPU back; keep what makes the next Load fast."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer ``request``; all that is said of it carries ``answer_id``."""

    answer_id: int
    request: ChatRequest


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody reads this answer any more: end it within one token."""

    answer_id: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End every answer, close the engine and exit."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The worker's event loop turns."""


@dataclass(frozen=True, slots=True)
class StandingBy:
    """Nothing is left to import."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Loading is at ``stage``, of which ``fraction`` (0 to 1) is done."""

    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded."""

    facts: EngineFacts


@dataclass(frozen=True, slots=True)
class Slept:
    """The GPU is given back."""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The engine refused to prepare or to load and says why; the worker exits."""

    error: LauncherError


@dataclass(frozen=True, slots=True)
class Words:
    """What answers have said since the last Words: (answer id, text), each answer at most once."""

    pieces: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Said:
    """The last piece of an answer; ``chunk`` has ``finish``."""

    answer_id: int
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Failed:
    """An answer ended in an error; the other answers go on."""

    answer_id: int
    error: LauncherError


@dataclass(frozen=True, slots=True)
class Broken:
    """An answer showed that the engine is broken; the worker exits, and this is why no answer goes on."""

    error: LauncherError


ToWorker = Prepare | Load | Sleep | Ask | Cancel | Shutdown
FromWorker = Heartbeat | StandingBy | Progressed | Ready | Slept | LoadFailed | Words | Said | Failed | Broken

_PLAIN = (str, int, float, bool, type(None))


def sendable(error: LauncherError) -> LauncherError:
    """The same error with plain values and a class of ``launcher.errors``.

    Unpickling must not import an engine's library into the launcher process, which a torch exception among
    the values would.
    """
    kind = next((base for base in type(error).__mro__ if base.__module__ == errors.__name__), EngineError)
    values = {key: value if type(value) in _PLAIN else str(value) for key, value in error.values.items()}
    plain: LauncherError = kind(error.template, error.hint_template, **values)
    return plain
