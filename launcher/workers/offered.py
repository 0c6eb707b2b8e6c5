"""What a launcher offers, as the manager is told of it: each model with an engine's spec for every device
that it may be loaded on; what the scheduler has to know of that, and what may be asked of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.commands_here import command
from launcher.errors import LauncherError, UnknownModel
from launcher.messages import ChatRequest
from launcher.request_checks import MOST_SESSION_TOKENS, checked
from launcher.workers.gpu_memory import spare_ram
from launcher.workers.model_record import Claim, ModelNeeds
from launcher.workers.states import CPU

if TYPE_CHECKING:
    from launcher.engines.base import EngineSpec
    from launcher.memory import PartName

_GIB = 1 << 30
_WEIGHTS: tuple[PartName, ...] = ("language_model", "vision_tower", "projector")
"""The parts of a plan that are weights."""


@dataclass(frozen=True, slots=True)
class RunnableModel:
    """A preset on this machine.

    Attributes:
        name: the model's.
        on: the devices that it may be loaded on, the preferred first -> how its engine is built there; or why
            it cannot run here. A card is called by its uuid.
    """

    name: str
    on: Mapping[str, EngineSpec] | LauncherError

    @property
    def specs(self) -> Mapping[str, EngineSpec]:
        """``on``; none where it cannot run here."""
        return {} if isinstance(self.on, LauncherError) else self.on


class Offered:
    """The models by name, and how long a conversation may be with each. The caller of every method that
    changes something holds one lock."""

    def __init__(self, models: Sequence[RunnableModel]) -> None:
        self._names = [model.name for model in models]
        self._longest = {model.name: _longest_session_tokens(model) for model in models}
        """As planned."""
        self._session_tokens = dict(self._longest)
        """As loaded last; as planned before."""

    def check(self, name: str) -> None:
        """Raises UnknownModel where no model of that name is offered."""
        if name not in self._names:
            raise UnknownModel(
                "There is no model named {name}.",
                hint="These are offered: {names}. `{command}` says more of each.",
                name=name,
                names=", ".join(self._names),
                command=command("presets"),
            )

    def checked(self, name: str, request: ChatRequest) -> ChatRequest:
        """The request as the model may be asked it.

        Raises:
            RequestError: no model of that name is offered, or `request_checks` lets the request not pass.
        """
        self.check(name)
        return checked(request, self._session_tokens[name])

    def plan(self, model: RunnableModel, *, is_first: bool) -> None:
        """How the model is loaded from now on; what it is loaded with holds until then, unless there was no
        plan before."""
        self._longest[model.name] = _longest_session_tokens(model)
        if is_first:
            self._session_tokens[model.name] = self._longest[model.name]

    def loaded(self, name: str, session_tokens: int) -> None:
        """The model was loaded with room for so many tokens of a conversation."""
        self._session_tokens[name] = min(self._longest[name], session_tokens)


def needs(model: RunnableModel) -> ModelNeeds:
    """What the scheduler knows of it."""
    if isinstance(model.on, LauncherError):
        return ModelNeeds(model.name, unavailable=model.on)
    specs = list(model.on.values())
    keep_alive_s = specs[0].preset.keep_alive_s
    return ModelNeeds(
        model.name,
        {device: _claim(spec) for device, spec in model.on.items()},
        stands_by=specs[0].plan is not None,
        keep_alive_s=None if keep_alive_s == "never" else keep_alive_s,
    )


def _claim(spec: EngineSpec) -> Claim:
    if spec.plan is None:
        return Claim(spec.size_bytes)
    plan = spec.plan
    weight_bytes = sum(plan.part_bytes(name) for name in _WEIGHTS)
    return Claim(
        plan.peak_bytes, plan.total_bytes, plan.asleep_bytes, weight_bytes, plan.part_bytes("kv_cache")
    )


def _longest_session_tokens(model: RunnableModel) -> int:
    """The longest conversation, as far as it is known before the model is loaded; on several devices, the
    longest of any."""
    return max(map(_session_tokens, model.specs.values()), default=MOST_SESSION_TOKENS)


def _session_tokens(spec: EngineSpec) -> int:
    if spec.plan is not None:
        return spec.plan.session_tokens
    wanted = spec.preset.memory.session_tokens
    return MOST_SESSION_TOKENS if wanted == "auto" else wanted


def budgets(models: Iterable[RunnableModel]) -> dict[str, int]:
    """What may be taken of RAM, and of every other device the largest GPU budget among its presets."""
    found = {CPU: spare_ram()}
    for model in models:
        for device, spec in model.specs.items():
            if device != CPU:
                wanted_bytes = int(spec.preset.memory.gpu_budget_gib * _GIB)
                found[device] = max(found.get(device, 0), wanted_bytes)
    return found
