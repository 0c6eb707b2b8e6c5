"""The memory plan: what it promises holds for every model, card and wish."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from launcher.engine_costs import COSTS, MIB, RATIO_MARGIN, EngineKind, TurbomindCache
from launcher.errors import MemoryPlanError
from launcher.memory import ANSWER_TOKENS, BLOCK_TOKENS, GIB, PROMPT_TOKENS, Card, MemoryPlan, plan_memory
from launcher.presets import MemorySettings
from launcher.sizes import KNOWN_CONFIGS, ModelSizes, model_sizes

SIZES = {name: model_sizes(config) for name, config in KNOWN_CONFIGS.items()}
KV_TOKEN_BYTES = 24 * 8 * 128 * 2 * 2  # layers, KV heads, head size, key and value, 16 bits

engines = st.sampled_from(["turbomind", "pytorch"])
models = st.sampled_from(sorted(SIZES))
gib = st.floats(1, 200)
wishes = st.builds(
    MemorySettings,
    kv_cache_ratio=st.floats(0.01, 0.95),
    kv_bits=st.sampled_from([16, 8, 4]),
    gpu_budget_gib=st.floats(1, 100),
    session_tokens=st.one_of(st.just("auto"), st.integers(64, 40000)),
    max_tiles=st.one_of(st.just("auto"), st.integers(1, 64)),
)


def card(size_gib: float) -> Card:
    return Card(int(size_gib * GIB), int(size_gib * GIB))


def plan(
    model: str = "internvl2-2b", size_gib: float = 8, engine: EngineKind = "turbomind", **wish: object
) -> MemoryPlan:
    return plan_memory(MemorySettings(**wish), SIZES[model], engine, card(size_gib))  # type: ignore[arg-type]


def kv_block_bytes(sizes: ModelSizes, bits: int) -> int:
    return BLOCK_TOKENS * sizes.kv_token_bytes(bits)


@given(memory=wishes, model=models, engine=engines, size=gib)
def test_a_plan_keeps_its_promises(
    memory: MemorySettings, model: str, engine: EngineKind, size: float
) -> None:
    sizes = SIZES[model]
    try:
        made = plan_memory(memory, sizes, engine, card(size))
    except MemoryPlanError:
        return
    room = min(memory.gpu_budget_gib, size) * GIB
    assert made.total_bytes <= room + len(made.parts)
    assert 0 < made.cache_ratio <= memory.kv_cache_ratio
    # every admitted request and the warm-up fit the cache, with a spare block
    assert made.session_tokens + BLOCK_TOKENS <= made.cache_tokens
    assert made.max_prefill_tokens <= made.session_tokens
    held = made.cache_blocks * kv_block_bytes(sizes, made.kv_bits)
    assert held <= made.part_bytes("kv_cache")
    # one picture with its answer fits
    assert made.picture_tokens + PROMPT_TOKENS + ANSWER_TOKENS <= made.session_tokens
    assert made.session_tokens <= sizes.language.max_positions
    if memory.session_tokens != "auto":
        assert made.session_tokens <= memory.session_tokens
    assert made.max_batch >= 1
    # what differs from the preset is said
    templates = " ".join(change.template for change in made.changes)
    assert (made.kv_bits != memory.kv_bits) == ("bits" in templates)
    assert (made.cache_ratio < 0.999 * memory.kv_cache_ratio) <= ("ratio" in templates)
    for change in made.changes:
        assert str(change)


@given(model=models, engine=engines, size=st.floats(2, 100), small=st.floats(1, 60), more=st.floats(0, 40))
def test_a_larger_budget_never_gives_less(
    model: str, engine: EngineKind, size: float, small: float, more: float
) -> None:
    try:
        lesser = plan(model, size, engine, gpu_budget_gib=small)
    except MemoryPlanError:
        assume(False)
    greater = plan(model, size, engine, gpu_budget_gib=small + more)
    assert greater.max_tiles >= lesser.max_tiles
    assert (greater.max_tiles, greater.kv_bits) >= (lesser.max_tiles, lesser.kv_bits)
    if (greater.kv_bits, greater.max_tiles) == (lesser.kv_bits, lesser.max_tiles):
        assert greater.session_tokens >= lesser.session_tokens


@given(
    cache_bytes=st.integers(0, 40 * GIB),
    layers=st.integers(1, 80),
    kv_heads=st.integers(1, 16),
    head_dim=st.sampled_from([64, 128]),
    bits=st.sampled_from([16, 8, 4]),
    error=st.floats(-1, 1),
)
def test_turbomind_holds_at_least_what_is_planned(
    cache_bytes: int, layers: int, kv_heads: int, head_dim: int, bits: int, error: float
) -> None:
    """Against TurboMind's own arithmetic, told independently: pages from an aligned start, slabs of 2^k
    pages."""
    vector = head_dim * bits // 8 + (0 if bits == 16 else 4)
    block = 2 * layers * kv_heads * vector * 64
    region = int(cache_bytes * (1 + error * RATIO_MARGIN))
    pages = max(0, (region - (32 * MIB - 512))) // (
        32 * MIB
    )  # the worst alignment that an allocation can have
    order = 0
    while (32 * MIB << order) < block:
        order += 1
    while (32 * MIB << order) // block * block / (32 * MIB << order) < 0.95 and (
        32 * MIB << order
    ) * 2 <= GIB:
        order += 1
    real_blocks = (pages >> order) * ((32 * MIB << order) // block)
    assert TurbomindCache().blocks(cache_bytes, block) <= real_blocks


@given(blocks=st.integers(1, 5000), block_bytes=st.integers(64 * 1024, 64 * MIB))
def test_the_smallest_region_holds_what_it_is_for(blocks: int, block_bytes: int) -> None:
    cache = TurbomindCache()
    assert cache.blocks(cache.bytes_for(blocks, block_bytes), block_bytes) >= blocks


def test_slabs_are_those_that_turbomind_was_seen_to_make() -> None:
    cache, sizes = TurbomindCache(), SIZES["internvl2-2b"]
    bf16, int8 = kv_block_bytes(sizes, 16), kv_block_bytes(sizes, 8)
    assert bf16 == 64 * KV_TOKEN_BYTES
    assert (cache.slab_bytes(bf16) // MIB, cache.slab_bytes(bf16) // bf16) == (128, 21)
    assert (cache.slab_bytes(int8) // MIB, cache.slab_bytes(int8) // int8) == (32, 10)
    assert cache.blocks(363 * MIB, bf16) * BLOCK_TOKENS == 2688


def test_the_tutorials_card_takes_a_full_picture_after_one_change() -> None:
    made = plan()
    assert made.total_bytes < 8 * GIB
    assert (made.kv_bits, made.max_tiles, made.picture_tokens) == (8, 12, 13 * 256)
    assert made.cache_ratio == pytest.approx(0.1)
    assert [change.template.split(" {")[0] for change in made.changes] == ["KV cache bits"]


def test_the_tutorials_own_session_is_shortened_with_a_reason() -> None:
    made = plan(session_tokens=8192)
    assert made.session_tokens < 8192
    assert any("Session 8192" in str(change) for change in made.changes)


def test_a_small_card_lowers_tiles_after_bits() -> None:
    made = plan(size_gib=6.5)
    assert made.kv_bits == 8
    assert 1 <= made.max_tiles < 12
    assert [str(change).split()[0] for change in made.changes] == ["KV", "Tiles"]


def test_bits_are_kept_where_only_the_session_is_short() -> None:
    made = plan(size_gib=24, session_tokens=2048)
    assert made.kv_bits == 16
    assert made.max_tiles < 12


def test_a_large_card_stays_within_the_budget_by_a_lower_ratio() -> None:
    made = plan(size_gib=80)
    assert made.total_bytes <= 8 * GIB
    assert made.cache_ratio < 0.1
    assert "ratio" in str(made.changes[0])


def test_what_cannot_fit_is_refused_with_figures_and_three_ways_out() -> None:
    with pytest.raises(MemoryPlanError) as caught:
        plan(size_gib=6.15, kv_cache_ratio=0.01)
    assert "0.01" in caught.value.message
    for way in ("AWQ", "gpu_budget_gib", "session_tokens"):
        assert way in caught.value.hint


def test_what_cannot_even_load_is_refused_with_what_loads() -> None:
    """Measured: on a card with 6 GiB free TurboMind aborts while InternVL2-2B's weights load; the PyTorch
    engine does not."""
    with pytest.raises(MemoryPlanError, match=r"weights of 4\.11 GiB load, it takes 6\.12 GiB") as caught:
        plan(size_gib=6)
    for way in ("AWQ", "gpu_budget_gib", "engine: pytorch"):
        assert way in caught.value.hint
    assert (
        plan_memory(MemorySettings(), SIZES["internvl2-2b"], "pytorch", Card(6 * GIB, 6 * GIB)).max_tiles >= 1
    )


def test_the_peak_counts_what_loading_takes() -> None:
    made = plan()
    assert made.peak_bytes == made.loading_bytes > made.total_bytes


def test_a_refusal_names_a_budget_that_is_enough() -> None:
    with pytest.raises(MemoryPlanError) as caught:
        plan(size_gib=100, gpu_budget_gib=4)
    assert plan(size_gib=100, gpu_budget_gib=float(str(caught.value.values["total"])) + 0.001).max_tiles >= 1


def test_a_session_too_short_for_anything_is_refused_as_such() -> None:
    with pytest.raises(MemoryPlanError, match="session of 300 tokens is too short"):
        plan(session_tokens=300)


def test_awq_leaves_more_room() -> None:
    assert plan("internvl2-2b-awq").total_bytes < plan().total_bytes - 1.5 * GIB
    assert plan("internvl2-2b-awq", 4.5).max_tiles >= 1


def test_memory_held_by_others_counts() -> None:
    held = plan_memory(MemorySettings(), SIZES["internvl2-2b"], "turbomind", Card(24 * GIB, 8 * GIB))
    assert held == plan(size_gib=8)


def test_plans_cross_a_process_boundary() -> None:
    made = plan()
    assert pickle.loads(pickle.dumps(made)) == made
    assert replace(made, kv_bits=16) != made


def test_every_engine_has_its_costs() -> None:
    assert set(COSTS) == {"turbomind", "pytorch"}
