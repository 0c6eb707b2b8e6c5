"""Whether models that were named fit awake on one card together, and what would have to change so that they
do. Pure, over their plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from launcher.commands_here import command
from launcher.errors import MemoryPlanError
from launcher.families import ModelSizes, in_four_bits
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.presets import Preset

_STEPS_PER_GIB = 10
"""Budgets are proposed in tenths of a GiB."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models, as it was planned; ``can_shrink``: `launcher quantize` could make it smaller."""

    preset: Preset
    sizes: ModelSizes
    plan: MemoryPlan
    can_shrink: bool

    def planned(self, card: Card, budget_gib: float | None = None) -> Member | None:
        """The same with this budget; None where that is too little."""
        memory = self.preset.memory
        if budget_gib is not None:
            memory = memory.model_copy(update={"gpu_budget_gib": budget_gib})
        try:
            plan = plan_memory(memory, self.sizes, self.plan.engine, card, self.plan.dtype)
        except MemoryPlanError:
            return None
        return replace(self, plan=plan)

    def in_four_bits(self, card: Card) -> Member:
        """The same after `launcher quantize`."""
        small = replace(self, sizes=in_four_bits(self.sizes), plan=replace(self.plan, dtype="float16"))
        return small.planned(card) or self


def needed_bytes(members: Sequence[Member]) -> int:
    """The most that all hold while the last of them loads, whichever that is."""
    awake = sum(member.plan.total_bytes for member in members)
    return max(awake - member.plan.total_bytes + member.plan.peak_bytes for member in members)


def fit(members: Sequence[Member], card: Card) -> bool:
    """Whether all can be awake at once."""
    return needed_bytes(members) <= card.free_bytes


def told(members: Sequence[Member], card: Card) -> Iterator[str]:
    """Lines for a person."""
    names = ", ".join(member.preset.name for member in members)
    needed, free = needed_bytes(members) / GIB, card.free_bytes / GIB
    if fit(members, card):
        yield f"awake together: {names} take {needed:.2f} GiB and fit {free:.4g} GiB"
        return
    yield (
        f"not awake together: {names} would take {needed:.2f} GiB, and there are {free:.4g} GiB;"
        " one sleeps while another answers"
    )
    yield from _ways(members, card, free)


def _ways(members: Sequence[Member], card: Card, free_gib: float) -> Iterator[str]:
    """What makes them fit, the least of it first: smaller budgets, four bits, both; else a larger card."""
    if budgets := _budgets(members, card):
        yield f"They fit with these budgets: {_shown(budgets)}"
        return
    able = [member for member in members if member.can_shrink]
    for count in range(1, len(able) + 1):
        for chosen in combinations(able, count):
            smaller = [member.in_four_bits(card) if member in chosen else member for member in members]
            commands = "\n  ".join(_quantize(member.preset) for member in chosen)
            if fit(smaller, card):
                yield f"They fit in four bits. Type:\n  {commands}"
                return
            if budgets := _budgets(smaller, card):
                yield f"They fit in four bits, with these budgets: {_shown(budgets)}. Type:\n  {commands}"
                return
    least = sum(_least(member, card) or member.plan.peak_bytes / GIB for member in members)
    yield f"They take a card with about {max(least, free_gib):.1f} GiB free, or smaller models"


def _quantize(preset: Preset) -> str:
    return command("quantize", preset.name, presets=preset.given)


def _shown(budgets: Sequence[tuple[Member, float]]) -> str:
    return ", ".join(f"{member.preset.name} memory.gpu_budget_gib: {gib:.1f}" for member, gib in budgets)


def _budgets(members: Sequence[Member], card: Card) -> list[tuple[Member, float]]:
    """Budgets with which all fit, what is left over shared alike; none where there are none."""
    least = [_least(member, card) for member in members]
    spare = card.free_bytes / GIB - sum(gib or 0.0 for gib in least)
    if None in least or spare < 0:
        return []
    for tenths in range(int(spare * _STEPS_PER_GIB / len(members)), -1, -1):
        chosen = [(gib or 0.0) + tenths / _STEPS_PER_GIB for gib in least]
        planned = [member.planned(card, gib) for member, gib in zip(members, chosen, strict=True)]
        found = [member for member in planned if member is not None]
        if len(found) == len(members) and fit(found, card):
            return list(zip(members, chosen, strict=True))
    return []


def _least(member: Member, card: Card) -> float | None:
    """The smallest budget, in GiB, with which it can run."""
    most = int(card.free_bytes / GIB * _STEPS_PER_GIB)
    tenths = (number / _STEPS_PER_GIB for number in range(1, most + 1))
    return next((gib for gib in tenths if member.planned(card, gib) is not None), None)
