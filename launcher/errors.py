"""What can go wrong, as one exception tree; it imports nothing of ours.

Every error carries a *message* (what failed, the value at fault, what is valid) and a *hint* (what to do or
type next). Both are templates filled from ``values``, so that the page can look up the same sentence in the
reader's language by its template (see ``launcher.ui.texts``) and a process boundary can be crossed by the
template and its values.

    LauncherError                 exit  what it says
    ├── PresetError                 2   a preset file is wrong; the message begins "file:line: key.path:"
    ├── CheckpointError             3   a model folder is missing, incomplete or of an unknown kind
    │   └── UnsupportedModel        3   a whole model, of a kind that does not run here
    ├── DeviceError                 4   no usable GPU, driver too old, memory held by others
    │   └── OutOfMemory             4   less memory is free than the model needs
    ├── MemoryPlanError             5   the preset cannot fit the budget, whatever is lowered
    ├── PictureError                6   an uploaded file is no picture, or outside the limits
    ├── RequestError                7   this question cannot be answered as asked (too long, empty, wrong)
    │   └── UnknownModel            7   no model of that name is offered
    ├── EngineError                 8   the engine failed while loading or answering
    │   ├── EngineBroken            8   not the question failed but the engine; its process ends
    │   └── WorkerDied              8   its process ended or stopped responding
    ├── MissingPart                 9   an optional package is not installed; the hint is the install command
    └── PortInUse                  10   the page's port is taken
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence that is no error, or stands within one's value, to be said in the reader's language as the
    error's own is: its template, and the names and values that fill it, remarks themselves if need be."""

    template: str
    values: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        return self.template.format(**dict(self.values)) if self.values else self.template


class Remarks(tuple[Remark, ...]):
    """Several, one after the other."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self))


class LauncherError(Exception):
    """Base of every error meant for a person.

    Args:
        message: template of the sentence that says what failed, e.g. ``"{name} is not a picture"``.
        hint: template of what to do next; may be empty.
        values: what fills both templates.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "", **values: object) -> None:
        super().__init__(message, hint, values)
        self.template = message
        self.hint_template = hint
        self.values = values

    @property
    def remark(self) -> Remark:
        """What failed, for another error's value."""
        return Remark(self.template, tuple(self.values.items()))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.template, self.hint_template, self.values)

    @property
    def message(self) -> str:
        """What failed, filled in."""
        return self.template.format(**self.values) if self.values else self.template

    @property
    def hint(self) -> str:
        """What to do next, filled in; empty when there is nothing to do."""
        return self.hint_template.format(**self.values) if self.values else self.hint_template

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint_template else self.message


def _rebuild(kind: type[LauncherError], message: str, hint: str, values: dict[str, object]) -> LauncherError:
    return kind(message, hint, **values)


class PresetError(LauncherError):
    """A preset file is wrong; the message begins ``file:line: key.path:``."""

    exit_code = 2


class CheckpointError(LauncherError):
    """A model folder is missing, incomplete or of an architecture that is not known."""

    exit_code = 3


class UnsupportedModel(CheckpointError):
    """A model that is whole and does not run here, whatever the machine: no download mends it."""


class DeviceError(LauncherError):
    """There is no usable GPU for what was asked."""

    exit_code = 4


class OutOfMemory(DeviceError):
    """Less memory is free than the model needs; another try may succeed once others have left."""


class MemoryPlanError(LauncherError):
    """The preset cannot fit the memory budget, whatever is lowered."""

    exit_code = 5


class PictureError(LauncherError):
    """An uploaded file is no picture, or outside the limits."""

    exit_code = 6


class RequestError(LauncherError):
    """This question cannot be answered as asked: too long, empty, or a picture for a text model."""

    exit_code = 7


class UnknownModel(RequestError):
    """No model of that name is offered."""


class EngineError(LauncherError):
    """The engine failed while loading or answering."""

    exit_code = 8


class EngineBroken(EngineError):
    """The engine itself failed, and will fail whatever it is asked: its process has to end."""


class WorkerDied(EngineError):
    """The model's process ended or stopped responding."""


class MissingPart(LauncherError):
    """An optional package is not installed; the hint is the exact install command."""

    exit_code = 9


class PortInUse(LauncherError):
    """The page's port is taken by another program."""

    exit_code = 10
