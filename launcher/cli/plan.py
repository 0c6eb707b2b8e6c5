"""``launcher plan``: what each preset would take on a GPU, part by part, before anything is loaded or even
downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from launcher import families
from launcher.checkpoints import CONFIG, Located, locate, read_facts
from launcher.cli import plan_view, render
from launcher.cli.completion import preset_names
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.devices import read_devices
from launcher.errors import CheckpointError, LauncherError
from launcher.families import Family, ModelSizes
from launcher.gpu_support import compute_dtype
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.presets import Preset

TUTORIAL_CARD_GIB = 8.0
"""Planned for where there is no GPU to plan for."""
_NEWEST = (9, 0)


@dataclass(frozen=True, slots=True)
class Planned:
    """One preset's plan, or why there is none."""

    preset: Preset
    plan: MemoryPlan | None
    problem: LauncherError | None = None


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
            help="Plan for a card with this much free; without, for this machine's, else 8.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    presets: PresetPaths = None,
) -> None:
    """Show what models would take on the GPU, and what the plan changes to make them fit."""
    catalog = read_catalog(presets)
    chosen = (
        [catalog.find(name) for name in names]
        if names
        else [each for each in catalog.presets if _for_gpu(each)]
    )
    card, capability = _card(gpu_gib)
    planned = [planned_for(preset, card, capability) for preset in chosen]
    if as_json:
        render.data([_data(each) for each in planned])
    else:
        plan_view.show(card, [(each.preset.name, each.plan) for each in planned if each.plan])
    _report(planned, as_json=as_json)


def _for_gpu(preset: Preset) -> bool:
    return preset.engine in ("auto", "turbomind", "pytorch")


def _card(gpu_gib: float | None) -> tuple[Card, tuple[int, int]]:
    """The card to plan for, and its compute capability."""
    gpus = read_devices().gpus if gpu_gib is None else ()
    if gpus:
        roomiest = max(gpus, key=lambda gpu: gpu.free_bytes)
        return Card(roomiest.total_bytes, roomiest.free_bytes), roomiest.compute_capability
    size_bytes = int((gpu_gib or TUTORIAL_CARD_GIB) * GIB)
    return Card(size_bytes, size_bytes), _NEWEST


def planned_for(preset: Preset, card: Card, capability: tuple[int, int]) -> Planned:
    """One preset on a card of this compute capability, whether its checkpoint is here or its sizes are
    published."""
    try:
        family, sizes = _sizes(preset)
        engine = family.engine(preset.engine, sizes.architecture)
        dtype = compute_dtype(capability, sizes.dtype, preset.dtype)
        return Planned(preset, plan_memory(preset.memory, sizes, engine, card, dtype))
    except LauncherError as problem:
        return Planned(preset, None, problem)


def _sizes(preset: Preset) -> tuple[Family, ModelSizes]:
    """The checkpoint's own sizes where it is here, else the published ones."""
    found = locate(preset)
    if isinstance(found, Located):
        facts, file = read_facts(found.folder), found.folder / CONFIG
        family = families.of(facts.config, file)
        return family, family.sizes(facts.config, facts.loaded_tensor_bytes, file)
    if config := families.known_config(preset.sources):
        family = families.of(config)
        return family, family.sizes(config)
    raise CheckpointError(
        "{name} is not on this machine, and its sizes are not known without it",
        hint="To get it, type: {command}" if found.commands else "Put it at one of the preset's sources.",
        name=preset.name,
        command=found.commands[0] if found.commands else "",
    )


def _report(planned: list[Planned], *, as_json: bool) -> None:
    """What cannot be planned, on standard error; the first of them decides the exit code."""
    problems = [each for each in planned if each.problem is not None]
    if not as_json:
        for each in problems:
            render.note(f"\n{each.preset.name}: {each.problem}")
    if problems and problems[0].problem is not None:
        raise typer.Exit(problems[0].problem.exit_code)


def _data(each: Planned) -> dict[str, Any]:
    """A plan for programs; sizes in bytes."""
    if each.plan is None:
        problem = each.problem
        return {"name": each.preset.name, "plan": None, "reason": str(problem.message) if problem else None,
                "hint": problem.hint if problem else None}  # fmt: skip
    plan = each.plan
    return {
        "name": each.preset.name,
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
