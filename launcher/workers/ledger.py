"""What is known of each device: how much models may hold of it together, and when it was last looked at.
Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from launcher.workers.model_record import ModelRecord
from launcher.workers.states import CPU, ModelState, Seen

AGAIN_S = 10.0
"""While a model waits, its devices are looked at again after this: one may have come free."""

_ON_THEIR_WAY = (ModelState.LOADING, ModelState.STOPPING)


class Ledger:
    """Budgets of all devices, in bytes.

    Args:
        budgets: what models with a planned size may hold of each device together, until it is measured.
        looks: whether devices can be measured on demand.
        totals: what the devices have, where that is known.
    """

    def __init__(
        self, budgets: Mapping[str, int], *, looks: bool, totals: Mapping[str, int] | None = None
    ) -> None:
        self._budgets = dict(budgets)
        self._totals = dict(totals or {})
        self._others = {one: max(0, total - self.budget(one)) for one, total in self._totals.items()}
        self._looks = looks
        self._seen_s: dict[str, float] = {}
        self._looking: set[str] = set()

    def know(self, budgets: Mapping[str, int]) -> None:
        """What may be held of devices that are not known yet."""
        self._budgets = {**budgets, **self._budgets}

    def budget(self, device: str) -> int:
        """What all may hold of it together; nothing of a device that nobody has told of."""
        return self._budgets.get(device, 0)

    def total(self, device: str) -> int | None:
        """What the device has; None where that is not known."""
        return self._totals.get(device)

    def others(self, device: str) -> int:
        """What others than models held of it when it was last looked at, or at the start."""
        return self._others.get(device, 0)

    def take(self, device: str, seen: Seen | None, holding: Sequence[ModelRecord], now_s: float) -> None:
        """Takes what was measured for what the holders hold; where that tells of all, also for what all may
        hold together. What a model on its way holds is another thing by now than when it was measured."""
        self._seen_s[device] = now_s
        if seen is None:
            return
        if seen.total_bytes is not None:
            ours = sum(seen.held_bytes.get(model.needs.name, model.held_bytes) for model in holding)
            self._totals[device] = seen.total_bytes
            self._others[device] = max(0, seen.total_bytes - seen.free_bytes - ours)
        at_rest = [model for model in holding if model.state not in _ON_THEIR_WAY]
        for model in at_rest:
            model.measured_bytes = seen.held_bytes.get(model.needs.name)
        if len(at_rest) == len(holding) and all(model.measured_bytes is not None for model in holding):
            self._budgets[device] = seen.free_bytes + sum(model.held_bytes for model in holding)

    def stale(self, model: ModelRecord) -> list[str]:
        """Which devices have to be looked at before one is chosen for the model: those that nobody has looked
        at since it was wanted, as other programs come and go unannounced. A look takes hundredths of a
        second."""
        since_s = math.inf if model.wanted_since_s is None else model.wanted_since_s
        return [one for one in self._choice_of(model) if self._seen_s.get(one, -math.inf) < since_s]

    def again_at_s(self, model: ModelRecord) -> dict[str, float]:
        """When devices are to be looked at again while the model waits for one of them."""
        return {one: self._seen_s.get(one, -math.inf) + AGAIN_S for one in self._choice_of(model)}

    def _choice_of(self, model: ModelRecord) -> list[str]:
        """A single card is no choice: where other programs have taken it, loading says so, and is tried once
        more. RAM says nothing: the system ends the process, or another program."""
        devices = list(model.needs.claims)
        is_told = len(devices) == 1 and devices != [CPU]
        return [] if is_told or not self._looks or not model.needs.planned else devices

    def looked(self, device: str) -> None:
        """Nobody looks at it any more."""
        self._looking.discard(device)

    def to_look_at(self, devices: Iterable[str]) -> list[str]:
        """Those of them that nobody looks at yet; they are being looked at from here on."""
        found = [one for one in dict.fromkeys(devices) if one not in self._looking]
        self._looking.update(found)
        return found
