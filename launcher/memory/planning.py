"""Preset, sizes and card -> the plan, or the refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from launcher.engine_costs import EngineKind
from launcher.families import ModelSizes, PictureBudget
from launcher.memory.plan import (
    GIB,
    Card,
    FourBits,
    MemoryPart,
    MemoryPlan,
    PartName,
    PlanChange,
    PlannedPicture,
)
from launcher.memory.problem import BLOCK_TOKENS, Problem, Setting
from launcher.memory.refusal import refusal
from launcher.presets import MemorySettings


def _none() -> FourBits | None:
    return None


def plan_memory(
    memory: MemorySettings,
    sizes: ModelSizes,
    engine: EngineKind,
    card: Card,
    dtype: str | None = None,
    *,
    four_bits: Callable[[], FourBits | None] = _none,
) -> MemoryPlan:
    """What the model may take, and the settings that keep it there.

    Args:
        memory: the preset's wishes.
        sizes: the checkpoint's shape and bytes.
        engine: whose cache and scratch are planned.
        card: the GPU's memory.
        dtype: what the weights are computed in; the checkpoint's own if None
            (``launcher.gpu_support.compute_dtype``).
        four_bits: the same model in four bits, which a refusal proposes if that fits
            (``launcher.four_bits``); asked for only then.

    Raises:
        MemoryPlanError: one picture with an answer (for a text model: a question with an answer) does not
            fit, whatever is lowered.
        PresetError: the preset bounds pictures in a way that this model has not.
    """
    problem = Problem(memory, sizes, engine, card, dtype or sizes.dtype)
    setting = problem.setting()
    if setting is None:
        raise refusal(problem, four_bits())
    return _plan(problem, setting)


def _plan(problem: Problem, setting: Setting) -> MemoryPlan:
    sizes, cache_bytes = problem.sizes, problem.cache_bytes(setting)
    cache_tokens, session_tokens = problem.cache_tokens(setting), problem.session_tokens(setting)
    pictures = setting.pictures
    parts: tuple[tuple[PartName, int], ...] = (
        ("language_model", problem.language_bytes),
        ("vision_tower", problem.vision_bytes),
        ("projector", sizes.projector_bytes),
        ("cuda_context", problem.costs.context_bytes),
        ("activations", problem.activation_bytes(setting)),
        ("kv_cache", cache_bytes),
    )
    return MemoryPlan(
        engine=problem.engine,
        dtype=problem.dtype,
        parts=tuple(MemoryPart(name, size) for name, size in parts if size),
        budget_bytes=problem.budget_bytes,
        cache_ratio=cache_bytes / problem.free_after_weights(),
        cache_tokens=cache_tokens,
        cache_blocks=cache_tokens // BLOCK_TOKENS,
        kv_bits=setting.kv_bits,
        session_tokens=session_tokens,
        max_prefill_tokens=min(problem.prefill_tokens(setting.pictures), session_tokens),
        max_batch=problem.max_batch(setting),
        picture=_planned(pictures) if pictures else None,
        loading_bytes=problem.loading_bytes,
        asleep_bytes=problem.costs.asleep_bytes + problem.linear_bytes,
        changes=tuple(_changes(problem, setting, session_tokens)),
    )


def _planned(pictures: PictureBudget) -> PlannedPicture:
    return PlannedPicture(pictures.unit, pictures.limit, pictures.most_tokens, pictures.shown)


def _changes(problem: Problem, setting: Setting, session_tokens: int) -> Iterator[PlanChange]:
    memory, full = problem.memory, problem.full_pictures
    cache_bytes = problem.cache_bytes(setting)
    if cache_bytes < problem.ratio_bytes:
        yield _change(
            "KV cache ratio {wanted:.3g} -> {chosen:.3g}: the whole share would pass the budget of"
            " {budget:.3g} GiB.",
            wanted=memory.kv_cache_ratio,
            chosen=cache_bytes / problem.free_after_weights(),
            budget=problem.room_bytes / GIB,
        )
    if memory.kv_bits != "auto" and not problem.takes_bits(memory.kv_bits):
        yield _change(
            "KV cache bits {wanted} -> {chosen}: {engine} keeps fewer than 16 only for models whose heads"
            " have {known} numbers, and this one's have {head}. With engine: pytorch it can have {wanted}.",
            wanted=memory.kv_bits,
            chosen=setting.kv_bits,
            engine=problem.engine,
            known=", ".join(map(str, sorted(problem.costs.quantised_heads))),
            head=problem.sizes.language.head_dim,
        )
    elif memory.kv_bits not in ("auto", setting.kv_bits):
        first = Setting(problem.wanted_bits, full)
        yield _change(
            "KV cache bits {wanted} -> {chosen}: at {wanted} bits the cache holds {held} tokens, a"
            " picture of {picture}"
            " with its answer takes {needed}."
            if full
            else "KV cache bits {wanted} -> {chosen}: at {wanted} bits the cache holds {held} tokens, a"
            " question with its"
            " answer takes {needed}.",
            wanted=memory.kv_bits,
            chosen=setting.kv_bits,
            held=problem.cache_tokens(first),
            picture=full.shown if full else "",
            needed=problem.needed_tokens(full),
        )
    if full and setting.pictures and setting.pictures.limit < full.limit:
        yield _change(
            "Tiles of a picture {wanted} -> {chosen}: the session of {session} tokens has no room for more."
            if full.unit == "tiles"
            else "Tokens of a picture {wanted} -> {chosen}: the session of {session} tokens has no room for"
            " more.",
            wanted=full.limit,
            chosen=setting.pictures.limit,
            session=session_tokens,
        )
    if memory.session_tokens != "auto" and session_tokens < memory.session_tokens:
        yield _change(
            "Session {wanted} -> {chosen} tokens: the KV cache holds no more.",
            wanted=memory.session_tokens,
            chosen=session_tokens,
        )


def _change(template: str, **values: str | int | float) -> PlanChange:
    return PlanChange(template, tuple(values.items()))
