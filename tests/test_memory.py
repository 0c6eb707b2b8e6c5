"""The memory plan: what it promises holds for every model, card and wish."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from functools import cache, partial

import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from launcher import families
from launcher.engine_costs import COSTS, MIB, RATIO_MARGIN, EngineKind, TurbomindCache
from launcher.errors import MemoryPlanError, PresetError
from launcher.families import ModelSizes, model_sizes
from launcher.four_bits import in_four_bits
from launcher.memory import (
    ANSWER_TOKENS,
    BLOCK_TOKENS,
    FEW_AT_ONCE,
    GIB,
    PROMPT_TOKENS,
    TOKENS_PER_ONE_OF_MANY,
    TOKENS_PER_USER,
    Card,
    FourBits,
    MemoryPlan,
    plan_memory,
)
from launcher.presets import MemorySettings, read_presets
from tests.published import KNOWN_CONFIGS

SIZES = {name: model_sizes(config) for name, config in KNOWN_CONFIGS.items()}
KV_TOKEN_BYTES = 24 * 8 * 128 * 2 * 2  # layers, KV heads, head size, key and value, 16 bits

SHIPPED = {preset.name for preset in read_presets().presets}
SERVED = [
    (name, engine)
    for name in sorted(SHIPPED & set(SIZES))
    for engine in families.of(KNOWN_CONFIGS[name]).engines
]

engines = st.sampled_from(["turbomind", "pytorch"])
models = st.sampled_from(sorted(SIZES))
gib = st.floats(1, 200)
wishes = st.builds(
    MemorySettings,
    kv_cache_ratio=st.floats(0.01, 0.95),
    kv_bits=st.sampled_from(["auto", 16, 8, 4]),
    gpu_budget_gib=st.floats(1, 100),
    session_tokens=st.one_of(st.just("auto"), st.integers(64, 40000)),
    max_tiles=st.one_of(st.just("auto"), st.integers(1, 64)),
    max_picture_tokens=st.one_of(st.just("auto"), st.integers(64, 20000)),
)


def bounds(memory: MemorySettings) -> tuple[int | None, int | None]:
    """What a preset asks for of pictures, as a budget takes it."""
    wanted = (memory.max_tiles, memory.max_picture_tokens)
    tiles, tokens = (None if each == "auto" else each for each in wanted)
    return tiles, tokens


def askable(memory: MemorySettings, sizes: ModelSizes) -> MemorySettings:
    """Without a bound on pictures that this model has not."""
    try:
        if sizes.pictures:
            sizes.pictures.wished(*bounds(memory))
    except PresetError:
        return memory.model_copy(update={"max_tiles": "auto", "max_picture_tokens": "auto"})
    return memory


def card(size_gib: float) -> Card:
    return Card(int(size_gib * GIB), int(size_gib * GIB))


@cache
def small_form(model: str) -> FourBits | None:
    """What a refusal may propose in four bits, for a preset that asks for nothing."""
    wishes_nothing = {"name": model, "memory": MemorySettings()}
    preset = read_presets().find("internvl2-2b").model_copy(update=wishes_nothing)
    return in_four_bits(preset, families.of(KNOWN_CONFIGS[model]), SIZES[model])


def plan(
    model: str = "internvl2-2b", size_gib: float = 8, engine: EngineKind = "turbomind", **wish: object
) -> MemoryPlan:
    memory = MemorySettings(**wish)  # type: ignore[arg-type]
    return plan_memory(memory, SIZES[model], engine, card(size_gib), four_bits=partial(small_form, model))


def kv_block_bytes(sizes: ModelSizes, bits: int) -> int:
    return BLOCK_TOKENS * sizes.kv_token_bytes(bits)


@given(memory=wishes, model=models, engine=engines, size=gib, held=st.floats(0, 20))
@example(  # four bits with another share for the cache are proposed
    memory=MemorySettings(kv_cache_ratio=0.5, gpu_budget_gib=1.0),
    model="internlm-xcomposer2-vl-1_8b",
    engine="turbomind",
    size=4.0,
    held=0.0,
)
def test_a_plan_keeps_its_promises_and_a_refusal_its_reasons(
    memory: MemorySettings, model: str, engine: EngineKind, size: float, held: float
) -> None:
    sizes, on = SIZES[model], Card(int((size + held) * GIB), int(size * GIB))
    memory = askable(memory, sizes)
    try:
        made = plan_memory(memory, sizes, engine, on, four_bits=partial(small_form, model))
    except MemoryPlanError as refusal:
        event("refused: " + refusal.message[:30])
        check_refusal(refusal, memory, model, engine, on)
    else:
        event("planned")
        check_plan(made, memory, sizes, size)


def check_plan(made: MemoryPlan, memory: MemorySettings, sizes: ModelSizes, size_gib: float) -> None:
    room = min(memory.gpu_budget_gib, size_gib) * GIB
    assert made.total_bytes <= room + len(made.parts)
    assert made.loading_bytes <= room
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
    each = TOKENS_PER_USER if made.max_batch <= FEW_AT_ONCE else TOKENS_PER_ONE_OF_MANY
    assert made.max_batch == 1 or made.max_batch * each <= made.cache_tokens
    # what a person wrote and the plan changed is said, and nothing else
    said = {change.template.split(" {")[0] for change in made.changes}
    wished = sizes.pictures.wished(*bounds(memory)) if sizes.pictures else None
    assert ("KV cache bits" in said) == (memory.kv_bits not in ("auto", made.kv_bits))
    lowered = bool(said & {"Tiles of a picture", "Tokens of a picture"})
    assert lowered == (made.picture is not None and wished is not None and made.picture.limit < wished.limit)
    assert ("Session" in said) == (memory.session_tokens not in ("auto", made.session_tokens))
    assert ("KV cache ratio" in said) or made.cache_ratio >= 0.999 * memory.kv_cache_ratio
    assert all(str(change) for change in made.changes)


def check_refusal(
    refusal: MemoryPlanError, memory: MemorySettings, model: str, engine: EngineKind, on: Card
) -> None:
    """The figures are right, told independently, and what the hint proposes makes a plan."""
    sizes = SIZES[model]
    figures = {
        name: float(value)  # type: ignore[arg-type]
        for name, value in refusal.values.items()
        if name not in ("other", "way")
    }
    least = PROMPT_TOKENS + ANSWER_TOKENS + (sizes.pictures.limited(1).most_tokens if sizes.pictures else 0)
    if "session" in figures:
        assert figures["needed"] == least > figures["session"] == memory.session_tokens
        longer = memory.model_copy(update={"session_tokens": least})
        assert "session" not in refused_or_planned(longer, sizes, engine, on)
        return
    costs, table = COSTS[engine], sizes.language.vocab * sizes.language.hidden * 2
    weights = kept_bytes(sizes, engine, costs.four_bit_share)
    coming = kept_bytes(sizes, engine, costs.four_bit_load_share)
    loading = coming + costs.context_bytes + costs.load_copies * table
    room = min(memory.gpu_budget_gib * GIB, on.free_bytes)
    assert figures["weights"] * GIB == pytest.approx(weights)
    assert figures["room"] * GIB == pytest.approx(room, abs=1)
    assert ("while its weights" in refusal.message) == (int(loading) > int(room))
    if "while its weights" in refusal.message:
        assert figures["total"] * GIB == pytest.approx(loading, abs=1)
    elif "The KV cache is too small" in refusal.message:
        assert figures["share"] < figures["cache"]
        assert figures["total"] <= figures["room"]
    else:
        assert figures["total"] == pytest.approx(figures["weights"] + figures["rest"] + figures["cache"])
        assert figures["total"] > figures["room"]
    check_way_out(refusal.hint, figures, memory, model, engine, on)


def kept_bytes(sizes: ModelSizes, engine: EngineKind, four_bit_share: float) -> int:
    """Of weights, as the engine keeps them: with so much more of what has four bits."""
    language, tower = sizes.language, sizes.tower
    table = language.vocab * language.hidden * 2
    kept = sizes.language_bytes + sizes.vision_bytes + sizes.projector_bytes
    if language.weight_bits == 4:
        kept += int(four_bit_share * (sizes.language_bytes - (1 if language.tied else 2) * table))
    if engine == "turbomind":
        kept += table if language.tied else 0
        kept += tower.padding_bytes if tower else 0
    return kept


def check_way_out(
    hint: str,
    figures: dict[str, float],
    memory: MemorySettings,
    model: str,
    engine: EngineKind,
    on: Card,
) -> None:
    sizes = SIZES[model]

    def with_(**wish: object) -> MemorySettings:
        return memory.model_copy(update=wish)

    free = int(figures["needed"] * GIB)
    budget = max(memory.gpu_budget_gib, figures["needed"])
    ways = {
        "Raise memory.kv_cache_ratio to": (with_(kv_cache_ratio=figures["enough_ratio"]), on),
        "Raise memory.gpu_budget_gib to": (with_(gpu_budget_gib=figures["budget"]), on),
        "Set memory.kv_bits to 4.": (with_(kv_bits=4), on),
        "Free memory on the card": (with_(gpu_budget_gib=budget), Card(on.total_bytes, free)),
        "It takes a card with": (with_(gpu_budget_gib=budget), Card(max(on.total_bytes, free), free)),
    }
    ((wish, card_then),) = [way for begin, way in ways.items() if hint.startswith(begin)]
    assert plan_memory(wish, sizes, engine, card_then)
    if "Free memory" in hint:
        assert on.free_bytes < free <= on.total_bytes
    if "engine: pytorch" in hint:
        assert engine == "turbomind"
        assert plan_memory(memory, sizes, "pytorch", on)
    if "weights" in hint:
        small = small_form(model)
        assert small is not None
        said = re.fullmatch(
            r".*4 bits[:;](?: type:)? ([^:]+?)(?: \(memory\.kv_cache_ratio: (0\.\d\d)\))?", hint
        )
        assert said is not None
        assert said[1] == (small.preset or small.command)
        ratio = {"kv_cache_ratio": float(said[2])} if said[2] else {}
        assert plan_memory(small.memory.model_copy(update=ratio), small.sizes, small.engine, on)


def refused_or_planned(memory: MemorySettings, sizes: ModelSizes, engine: EngineKind, on: Card) -> set[str]:
    """The names of a refusal's figures, none for a plan."""
    try:
        plan_memory(memory, sizes, engine, on)
    except MemoryPlanError as refusal:
        return set(refusal.values)
    return set()


ON_8_GIB = [each for each in SERVED if each != ("qwen3_5-2b", "turbomind")]
"""All but one, whose embedding table TurboMind copies while it loads: tests/test_picture_readiness.py."""


@pytest.mark.parametrize(("name", "engine"), ON_8_GIB)
def test_every_shipped_preset_has_its_plan_on_8_gib_and_none_is_called_changed(
    name: str, engine: EngineKind
) -> None:
    """The good end: what is shipped for such a card fits it as it was written."""
    preset = read_presets().find(name)
    made, pictures = plan_memory(preset.memory, SIZES[name], engine, card(8)), SIZES[name].pictures
    assert made.changes == ()
    assert made.picture_tokens == (pictures.wished(*bounds(preset.memory)).most_tokens if pictures else 0)


@pytest.mark.parametrize(
    ("size_gib", "at_once", "cache_tokens", "total_mib"),
    [(8, 10, 5120, 5906), (12, 13, 6720, 6315), (24, 32, 18816, 7816), (80, 64, 22848, 8192)],
)
def test_a_larger_card_answers_more_people_at_once(
    size_gib: float, at_once: int, cache_tokens: int, total_mib: int
) -> None:
    """Within the same budget of 8 GiB; what a card of 8 or 12 GiB gives is as it was measured."""
    made = plan(size_gib=size_gib)
    assert (made.max_batch, made.cache_tokens, made.total_bytes // MIB) == (at_once, cache_tokens, total_mib)


def test_where_the_budget_lets_the_cache_grow_so_does_the_batch() -> None:
    assert plan(size_gib=80, gpu_budget_gib=70).max_batch == 128


AT_ONCE = {"internvl3_5-2b": 32}
"""Where it is not 64: within its budget of 8 GiB there are fewer tokens of cache beside the weights."""


@pytest.mark.parametrize(("name", "engine"), ON_8_GIB)
def test_every_model_answers_many_at_once_on_80_gib_and_pays_for_them(name: str, engine: EngineKind) -> None:
    preset, sizes = read_presets().find(name), SIZES[name]
    made = plan_memory(preset.memory, sizes, engine, card(80))
    assert made.max_batch >= AT_ONCE.get(name, 64)
    few = plan_memory(preset.memory, sizes, engine, card(8))
    before = max(FEW_AT_ONCE, few.max_batch)  # the smallest model answers many on 8 GiB already
    logits = COSTS[engine].logit_factor * 4 * sizes.language.vocab
    states = 0 if COSTS[engine].states_in_cache else sizes.state_bytes
    more = (made.max_batch - before) * (logits + states)
    if engine == "turbomind" and sizes.tower and sizes.pictures:  # and looks at more pictures side by side
        tokens = plan_memory(preset.memory, sizes, engine, card(8)).cache_tokens // made.picture_tokens
        patches = sizes.pictures.wished(*bounds(preset.memory)).most_patches
        pictures = 4 - max(2, min(4, tokens))
        more += int(pictures * patches * COSTS[engine].crowd_factor * 2 * sizes.tower.hidden)
    assert made.part_bytes("activations") - few.part_bytes("activations") == pytest.approx(more, abs=2)


@given(model=models, engine=engines, size=st.floats(2, 100), small=st.floats(1, 60), more=st.floats(0, 40))
def test_a_larger_budget_never_gives_less(
    model: str, engine: EngineKind, size: float, small: float, more: float
) -> None:
    try:
        lesser = plan(model, size, engine, gpu_budget_gib=small)
    except MemoryPlanError:
        assume(False)
    greater = plan(model, size, engine, gpu_budget_gib=small + more)
    assert greater.picture_tokens >= lesser.picture_tokens
    assert (greater.picture_tokens, greater.kv_bits) >= (lesser.picture_tokens, lesser.kv_bits)
    if (greater.kv_bits, greater.picture_tokens) == (lesser.kv_bits, lesser.picture_tokens):
        assert greater.max_batch >= lesser.max_batch
        # what more askers at once take is taken from the cache
        assert greater.session_tokens >= lesser.session_tokens or greater.max_batch > lesser.max_batch


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


def test_a_card_of_8_gib_takes_a_full_picture_at_8_bits() -> None:
    """Which is a change only where somebody has written 16."""
    assert plan().changes == ()
    made = plan(kv_bits=16)
    assert replace(made, changes=()) == plan()
    assert made.total_bytes < 8 * GIB
    assert (made.kv_bits, made.max_tiles, made.picture_tokens) == (8, 12, 13 * 256)
    assert made.cache_ratio == pytest.approx(0.1)
    assert [change.template.split(" {")[0] for change in made.changes] == ["KV cache bits"]


def with_heads_of(head_dim: int) -> ModelSizes:
    """InternVL2-2B with as many numbers to a token, in other heads."""
    sizes = SIZES["internvl2-2b"]
    language, factor = sizes.language, sizes.language.head_dim // head_dim
    heads = {"heads": language.heads * factor, "kv_heads": language.kv_heads * factor, "head_dim": head_dim}
    return replace(sizes, language=replace(language, **heads))


@pytest.mark.parametrize("wanted", [8, 4])
def test_turbomind_keeps_16_bits_for_heads_that_lmdeploy_does_not_promise(wanted: int) -> None:
    memory, on = MemorySettings(kv_bits=wanted, kv_cache_ratio=0.3), card(8)  # type: ignore[arg-type]
    made = plan_memory(memory, with_heads_of(64), "turbomind", on)
    assert made.kv_bits == 16
    said = [str(change) for change in made.changes if "bits" in str(change)]
    assert len(said) == 1
    assert f"KV cache bits {wanted} -> 16: turbomind keeps fewer than 16 only for" in said[0]
    assert "128 numbers, and this one's have 64. With engine: pytorch it can have" in said[0]
    assert plan_memory(memory, with_heads_of(64), "pytorch", on).kv_bits == wanted
    assert plan_memory(memory, with_heads_of(128), "turbomind", on).kv_bits == wanted


def test_there_pictures_are_lowered_where_bits_would_be() -> None:
    """On 8 GiB this model has 8 bits and whole pictures; with other heads 16, and smaller ones."""
    made = plan_memory(MemorySettings(), with_heads_of(64), "turbomind", card(8))
    assert (made.kv_bits, plan().kv_bits) == (16, 8)
    assert made.max_tiles < plan().max_tiles
    with pytest.raises(MemoryPlanError) as refused:
        plan_memory(MemorySettings(kv_cache_ratio=0.01), with_heads_of(64), "turbomind", card(8))
    assert "kv_bits" not in refused.value.hint


def test_the_tutorials_own_session_is_shortened_with_a_reason() -> None:
    made = plan(session_tokens=8192)
    assert made.session_tokens < 8192
    assert any("Session 8192" in str(change) for change in made.changes)


def test_a_small_card_lowers_tiles_after_bits() -> None:
    made = plan(size_gib=6.5, kv_bits=16)
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


def test_a_cache_that_is_too_small_is_refused_with_a_ratio_that_is_enough() -> None:
    with pytest.raises(MemoryPlanError, match=r"ratio 0\.01 gives it 0\.01 GiB") as caught:
        plan(size_gib=6.15, kv_cache_ratio=0.01)
    assert caught.value.hint.startswith("Raise memory.kv_cache_ratio to 0.09.")
    assert plan(size_gib=6.15, kv_cache_ratio=caught.value.values["enough_ratio"]).max_tiles >= 1


def test_what_cannot_even_load_is_refused_with_what_loads() -> None:
    """Measured: on a card with 6 GiB free TurboMind aborts while InternVL2-2B's weights load; the PyTorch
    engine does not."""
    with pytest.raises(MemoryPlanError, match=r"weights of 4\.11 GiB load, it takes 6\.12 GiB") as caught:
        plan(size_gib=6)
    assert caught.value.hint == (
        "It takes a card with 6.2 GiB free, and memory.gpu_budget_gib no less. Or set engine: pytorch in the"
        " preset, or take its preset with weights of 4 bits: internvl2-2b-awq"
    )
    assert plan(size_gib=6, engine="pytorch").max_tiles >= 1


@pytest.mark.parametrize(
    ("model", "size_gib", "way"),
    [
        ("internvl2-2b", 5, "internvl2-2b-awq"),
        ("internlm-xcomposer2-vl-1_8b", 6, "internlm-xcomposer2-vl-1_8b-awq"),
        ("internlm-xcomposer2-vl-1_8b", 5, "internlm-xcomposer2-vl-1_8b-awq (memory.kv_cache_ratio: 0.06)"),
        ("internlm2-chat-1_8b", 4, "launcher quantize internlm2-chat-1_8b"),
        ("internlm2-chat-1_8b", 1.5, ""),
        ("internvl2-2b-awq", 3, ""),
        ("qwen2_5-vl-3b-instruct", 8, "qwen2_5-vl-3b-instruct-awq"),
        ("qwen2-vl-2b-instruct", 4, ""),
    ],
)
def test_four_bits_are_proposed_where_they_fit_and_as_they_can_be_had(
    model: str, size_gib: float, way: str
) -> None:
    with pytest.raises(MemoryPlanError) as caught:
        plan(model, size_gib, "pytorch" if "xcomposer2" in model else "turbomind")
    proposes = any(words in caught.value.hint for words in ("weights of 4 bits:", "weights 4 bits;"))
    assert proposes == bool(way)
    assert caught.value.hint.endswith(way)


def test_memory_that_others_hold_is_to_be_freed_where_the_card_is_large_enough() -> None:
    with pytest.raises(MemoryPlanError) as caught:
        plan_memory(MemorySettings(), SIZES["internvl2-2b"], "turbomind", Card(24 * GIB, 5 * GIB))
    assert caught.value.hint.startswith(
        "Free memory on the card (nvidia-smi shows who holds it) until 6.2 GiB"
    )


def test_a_model_that_reads_too_little_is_not_mended_by_a_session() -> None:
    sizes = SIZES["internvl2-2b"]
    short = replace(sizes, language=replace(sizes.language, max_positions=512))
    with pytest.raises(MemoryPlanError, match="reads at most 512 tokens") as caught:
        plan_memory(MemorySettings(), short, "turbomind", card(24))
    assert "session_tokens" not in caught.value.hint


def test_the_peak_counts_what_loading_takes() -> None:
    made = plan()
    assert made.peak_bytes == made.loading_bytes > made.total_bytes


def test_a_refusal_names_a_budget_that_is_enough() -> None:
    with pytest.raises(MemoryPlanError) as caught:
        plan(size_gib=100, gpu_budget_gib=4)
    assert plan(size_gib=100, gpu_budget_gib=caught.value.values["budget"]).max_tiles >= 1


def test_a_session_too_short_for_anything_is_refused_as_such() -> None:
    with pytest.raises(MemoryPlanError, match="session of 300 tokens is too short"):
        plan(session_tokens=300)


def test_awq_leaves_more_room() -> None:
    assert plan("internvl2-2b-awq").total_bytes < plan().total_bytes - 1.25 * GIB
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
