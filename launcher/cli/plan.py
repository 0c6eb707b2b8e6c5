"""``launcher plan``: what each preset would take on a GPU, part by part, before anything is loaded or even
downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from launcher import families
from launcher.checkpoints import CONFIG, Located, locate, read_facts
from launcher.cli import plan_together, plan_view, render
from launcher.cli.completion import preset_names
from launcher.cli.plan_together import Member
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.devices import Devices, Gpu, read_devices
from launcher.engines import table
from launcher.errors import CheckpointError, DeviceError, LauncherError, PresetError
from launcher.families import Family, ModelSizes
from launcher.four_bits import can_be_made
from launcher.gpu_support import compute_dtype
from launcher.memory import GIB, Card, MemoryPlan
from launcher.presets import Preset
from launcher.readiness import (
    COMPLETE,
    InstalledEngines,
    gpus_for,
    installed_engines,
    not_here,
    plan_here,
)

TUTORIAL_CARD_GIB = 8.0
"""Planned for where there is no GPU to plan for."""
_NEWEST = (9, 0)


@dataclass(frozen=True, slots=True)
class Place:
    """A card to plan for, or several that are alike: ``gpus``, none where this machine has none."""

    card: Card
    capability: tuple[int, int]
    gpus: tuple[Gpu, ...] = ()

    @property
    def label(self) -> str:
        """How it is told from the other cards of this machine: "GPU 0, 1"."""
        return f"GPU {', '.join(gpu.number for gpu in self.gpus)}" if self.gpus else ""


@dataclass(frozen=True, slots=True)
class Planned:
    """One preset's plan, or why there is none."""

    preset: Preset
    plan: MemoryPlan | None
    problem: LauncherError | None = None
    place: Place = Place(Card(0, 0), _NEWEST)
    member: Member | None = None


def plan(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PRESET]...", help="Which presets; without, all for a GPU.", autocompletion=preset_names
        ),
    ] = None,
    *,
    gpu_gib: Annotated[
        float | None,
        typer.Option(
            "--gpu-gib",
            min=0.5,
            max=1024,
            help="Plan for a card with this much free; without, for each of this machine's, else 8.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    presets: PresetPaths = None,
) -> None:
    """Show what models would take on each GPU, and what the plan changes to make them fit.

    Of several presets it says whether they fit awake together, and what would have to change so that they do.
    """
    catalog = read_catalog(presets)
    chosen = (
        [catalog.find(name) for name in names]
        if names
        else [each for each in catalog.presets if _for_gpu(each)]
    )
    devices = read_devices()
    planned = [each for preset in chosen for each in _everywhere(preset, devices, gpu_gib)]
    groups = _together(planned) if names and len(set(names)) > 1 else []
    if as_json:
        render.data([{**_data(each), **_together_data(each, groups)} for each in planned])
    else:
        plan_view.show(
            [
                (each.preset.name, each.plan, each.place.card, each.place.label)
                for each in planned
                if each.plan
            ]
        )
        for place, members in groups:
            where = f"\non {place.label}, " if place.label else "\n"
            render.line(where + "\n".join(plan_together.told(members, place.card)))
    _report(planned, as_json=as_json)
    if catalog.errors and not names:
        raise typer.Exit(PresetError.exit_code)


def _together(planned: Sequence[Planned]) -> list[tuple[Place, list[Member]]]:
    """The models that can be awake on the same card, for each card on which there are several."""
    places: dict[Place, list[Member]] = {}
    for each in planned:
        if each.member is not None:
            places.setdefault(each.place, []).append(each.member)
    return [(place, members) for place, members in places.items() if len(members) > 1]


def _together_data(each: Planned, groups: Sequence[tuple[Place, list[Member]]]) -> dict[str, Any]:
    """For programs: with whom it could be awake on its card, and whether all fit; nothing where one model was
    named."""
    for place, members in groups:
        if each.member in members and place == each.place:
            needed = plan_together.needed_bytes(members)
            names = [member.preset.name for member in members]
            fits = plan_together.fit(members, place.card)
            return {"together": {"names": names, "needed_bytes": needed, "fits": fits}}
    return {}


def _for_gpu(preset: Preset) -> bool:
    return preset.engine_name == table.AUTO or table.find(preset.engine_name).is_planned


def _everywhere(preset: Preset, devices: Devices, gpu_gib: float | None) -> list[Planned]:
    """A plan for each card that the preset may run on; for one of ``gpu_gib``, or a usual one, where there is
    none to plan for."""
    try:
        gpus = gpus_for(preset, devices) if devices.gpus and gpu_gib is None else []
    except DeviceError as problem:
        return [Planned(preset, None, problem)]
    size_bytes = int((gpu_gib or TUTORIAL_CARD_GIB) * GIB)
    places = _alike(gpus) or [Place(Card(size_bytes, size_bytes), _NEWEST)]
    installed = installed_engines() if gpus else COMPLETE
    return [
        replace(planned_for(preset, place.card, place.capability, installed), place=place) for place in places
    ]


def _alike(gpus: Sequence[Gpu]) -> list[Place]:
    """The cards, those that are alike together."""
    alike: dict[tuple[Card, tuple[int, int]], list[Gpu]] = {}
    for gpu in gpus:
        alike.setdefault((Card(gpu.total_bytes, gpu.free_bytes), gpu.compute_capability), []).append(gpu)
    return [Place(card, capability, tuple(found)) for (card, capability), found in alike.items()]


def planned_for(
    preset: Preset, card: Card, capability: tuple[int, int], installed: InstalledEngines
) -> Planned:
    """One preset on a card of this compute capability, whether its checkpoint is here or its sizes are
    published. Of engines auto takes the one that it would run on where these packages are installed."""
    try:
        family, sizes = _sizes(preset)
        dtype = compute_dtype(capability, sizes.dtype, preset.dtype)
        made = plan_here(preset, family, sizes, card=card, dtype=dtype, installed=installed)
        return Planned(preset, made, member=Member(preset, sizes, made, can_be_made(family, sizes)))
    except LauncherError as problem:
        return Planned(preset, None, problem)


def _sizes(preset: Preset) -> tuple[Family, ModelSizes]:
    """The checkpoint's own sizes where it is here, else the published ones."""
    if preset.endpoint is not None:
        raise CheckpointError(
            "{name} runs on the server at {url}, which plans its memory itself",
            name=preset.name,
            url=preset.endpoint.url,
        )
    found = locate(preset)
    if isinstance(found, Located):
        facts, file = read_facts(found.folder), found.folder / CONFIG
        family = families.of(facts.config, file)
        return family, family.sizes(facts.config, facts.loaded_tensor_bytes, file, facts.number_bytes)
    if config := families.known_config(preset.sources):
        family = families.of(config)
        return family, family.sizes(config)
    if not found.commands:
        raise not_here(preset, found)
    raise CheckpointError(
        "{name} is not on this machine, and its sizes are not known without it",
        "To get it, type: {command}",
        name=preset.name,
        command=found.commands[0],
    )


def _report(planned: list[Planned], *, as_json: bool) -> None:
    """What cannot be planned, on standard error; the first preset that fits no card decides the exit code."""
    problems = [each for each in planned if each.problem is not None]
    if not as_json:
        for each in problems:
            where = f" on {each.place.label}" if each.place.label else ""
            render.note(f"\n{each.preset.name}{where}: {each.problem}")
    fit = {each.preset.name for each in planned if each.plan is not None}
    for each in problems:
        if each.preset.name not in fit and each.problem is not None:
            raise typer.Exit(each.problem.exit_code)


def _data(each: Planned) -> dict[str, Any]:
    """A plan for programs; sizes in bytes. ``gpus``: the numbers of the cards that it is for."""
    gpus = [gpu.number for gpu in each.place.gpus]
    if each.plan is None:
        problem = each.problem
        return {
            "name": each.preset.name,
            "gpus": gpus,
            "plan": None,
            "reason": str(problem.message) if problem else None,
            "hint": problem.hint if problem else None,
        }
    plan = each.plan
    return {
        "name": each.preset.name,
        "gpus": gpus,
        "plan": {
            "engine": plan.engine,
            "dtype": plan.dtype,
            "budget_bytes": plan.budget_bytes,
            "total_bytes": plan.total_bytes,
            "loading_bytes": plan.loading_bytes,
            "parts": {part.name: part.size_bytes for part in plan.parts},
            "asleep_bytes": plan.asleep_bytes,
            "cache_ratio": plan.cache_ratio,
            "cache_tokens": plan.cache_tokens,
            "kv_bits": plan.kv_bits,
            "session_tokens": plan.session_tokens,
            "max_prefill_tokens": plan.max_prefill_tokens,
            "max_batch": plan.max_batch,
            "max_tiles": plan.max_tiles,
            "picture_tokens": plan.picture_tokens,
            "changes": [str(change) for change in plan.changes],
        },
        "reason": None,
        "hint": None,
    }
