"""The memory plan: preset + model sizes + card -> what fits on the GPU, before anything loads. Pure: no I/O,
clock or log.

LMDeploy's ``cache_max_entry_count`` is a share of whatever is free after the weights, so alone it says
neither how much a model takes nor how long a conversation may be: with its default session TurboMind's
warm-up spins for ever on an 8 GB card. The plan turns ratio and budget into bytes, bytes into whole cache
blocks (``launcher.engine_costs``), and derives from them session, prefill length, batch and tiles so that the
warm-up and every admitted request fit.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from launcher.engine_costs import COSTS, EngineCosts, EngineKind
from launcher.errors import MemoryPlanError
from launcher.presets import MemorySettings
from launcher.sizes import ELEMENT_BYTES, ModelSizes, VisionSizes, four_bit_twin

PartName = Literal["language_model", "vision_tower", "projector", "cuda_context", "activations", "kv_cache"]

GIB = 2**30
BLOCK_TOKENS = 64
"""Tokens of one cache block, in both engines."""
SPARE_BLOCKS = 2
"""Blocks a session leaves free: the block being written, and the one the prefix cache forks at a picture's
end."""
ANSWER_TOKENS = 512
"""The answer that must fit behind one full-size picture."""
PROMPT_TOKENS = 256
"""System prompt, template and question, generously."""
PREFILL_TOKENS = 2048
"""Prompts are read in pieces of at most this many tokens. TurboMind pins host memory for a tile with each of
them: 1.2 MB."""
TOKENS_PER_USER = 512
FEW_AT_ONCE = 16
"""Askers at once, one for each TOKENS_PER_USER of the cache, up to this many."""
MANY_AT_ONCE = (128, 64, 32)
TOKENS_PER_ONE_OF_MANY = 320
"""Of the cache, for a short question with an answer of 256 tokens: where there is so much for each, many are
answered at once. Who asks or is told more takes it from the others, and the engine lets the newest wait."""
_MOST_GIB = 1024
"""A card larger than any, as the budget's own limit."""


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU's memory as the plan needs it: what it has, and what other processes leave free of it."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One line of the plan."""

    name: PartName
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What the plan changed from the preset and why: a sentence's template and its values, so that it can be
    translated."""

    template: str
    values: tuple[tuple[str, str | int | float], ...]

    def __str__(self) -> str:
        return self.template.format(**dict(self.values))


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a model may take on its GPU, and the engine settings that keep it there.

    ``session_tokens`` bounds prompt plus answer, ``max_tiles`` the tiles of one picture without its thumbnail
    (0 for a text model), ``cache_tokens`` is what the KV cache holds for certain, ``cache_ratio`` its share
    of the memory that is free after the weights, ``loading_bytes`` what is held for a moment while the
    weights load, ``asleep_bytes`` what stays when the model sleeps in its process.
    """

    engine: EngineKind
    dtype: str
    parts: tuple[MemoryPart, ...]
    budget_bytes: int
    cache_ratio: float
    cache_tokens: int
    cache_blocks: int
    kv_bits: int
    session_tokens: int
    max_prefill_tokens: int
    max_batch: int
    max_tiles: int
    vision: VisionSizes | None
    loading_bytes: int = 0
    asleep_bytes: int = 0
    changes: tuple[PlanChange, ...] = ()

    @property
    def total_bytes(self) -> int:
        """All that the process holds at work."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def peak_bytes(self) -> int:
        """The most that the process ever holds: at work, or while the weights load."""
        return max(self.total_bytes, self.loading_bytes)

    def part_bytes(self, name: PartName) -> int:
        """Bytes of one part, 0 if the model has none."""
        return sum(part.size_bytes for part in self.parts if part.name == name)

    @property
    def picture_tokens(self) -> int:
        """Tokens that the largest picture costs, 0 for a text model."""
        return self.vision.picture_tokens(self.max_tiles) if self.vision else 0


@dataclass(frozen=True, slots=True)
class _Setting:
    """One way to run the model, to be tried against the budget."""

    kv_bits: int
    max_tiles: int
    at_once: int = FEW_AT_ONCE


@dataclass(frozen=True, slots=True)
class _Problem:
    """Everything that does not change while settings are tried."""

    memory: MemorySettings
    sizes: ModelSizes
    engine: EngineKind
    card: Card
    dtype: str

    @property
    def costs(self) -> EngineCosts:
        return COSTS[self.engine]

    @property
    def budget_bytes(self) -> int:
        return int(self.memory.gpu_budget_gib * GIB)

    @property
    def room_bytes(self) -> int:
        """What this model may take: the preset's budget, or less where the card has less free."""
        return min(self.budget_bytes, self.card.free_bytes)

    @property
    def weight_bytes(self) -> int:
        return self.sizes.language_bytes + self.sizes.vision_bytes + self.sizes.projector_bytes

    @property
    def loading_bytes(self) -> int:
        """Context, weights, and the copies that are made of the embedding table on the way."""
        language = self.sizes.language
        table_bytes = language.vocab * language.hidden * ELEMENT_BYTES
        return self.costs.context_bytes + self.weight_bytes + int(self.costs.load_copies * table_bytes)

    @property
    def session_limit(self) -> int:
        """The longest session that preset and model allow, whatever the cache holds."""
        wanted = self.memory.session_tokens
        return (
            self.sizes.language.max_positions
            if wanted == "auto"
            else min(wanted, self.sizes.language.max_positions)
        )

    @property
    def full_tiles(self) -> int:
        if self.sizes.vision is None:
            return 0
        wanted = self.memory.max_tiles
        return self.sizes.vision.max_tiles if wanted == "auto" else wanted

    def block_bytes(self, kv_bits: int) -> int:
        return BLOCK_TOKENS * self.sizes.kv_token_bytes(kv_bits)

    def needed_tokens(self, tiles: int) -> int:
        """Session that one picture of this many tiles (none for a text model) with an answer takes."""
        picture = self.sizes.vision.picture_tokens(tiles) if self.sizes.vision else 0
        return picture + PROMPT_TOKENS + ANSWER_TOKENS

    def activation_bytes(self, setting: _Setting) -> int:
        """Scratch, one prefill's hidden states, the tower's states for one picture and the logits of a full
        batch."""
        tiles = setting.max_tiles
        language, vision, costs = self.sizes.language, self.sizes.vision, self.costs
        token_bytes = costs.token_factor * (language.hidden + language.intermediate) * ELEMENT_BYTES
        logit_bytes = costs.logit_factor * 4 * language.vocab * setting.at_once
        tile_bytes = 0.0
        if vision is not None:
            all_tiles = vision.picture_tokens(tiles) // vision.tokens_per_tile
            tile_bytes = (
                all_tiles
                * vision.patches
                * costs.tile_factor
                * (vision.hidden + vision.intermediate)
                * ELEMENT_BYTES
            )
        return costs.workspace_bytes + int(
            self.prefill_tokens(tiles) * token_bytes + tile_bytes + logit_bytes
        )

    def prefill_tokens(self, tiles: int) -> int:
        """What is read at a time: the PyTorch engine never splits a picture (LMDeploy's ``long_context.py``),
        TurboMind does."""
        whole = (
            self.sizes.vision.picture_tokens(tiles) if self.sizes.vision and self.engine == "pytorch" else 0
        )
        return max(PREFILL_TOKENS, whole)

    def free_after_weights(self) -> int:
        """What LMDeploy's ratio is a share of."""
        return self.card.free_bytes - self.costs.context_bytes - self.weight_bytes

    def cache_bytes(self, setting: _Setting) -> int:
        """The preset's ratio of the free memory, or less where the budget ends first."""
        left = self.room_bytes - self.costs.context_bytes - self.weight_bytes - self.activation_bytes(setting)
        return min(int(self.memory.kv_cache_ratio * self.free_after_weights()), left)

    def cache_tokens(self, setting: _Setting) -> int:
        cache_bytes = self.cache_bytes(setting)
        return self.costs.cache.blocks(max(0, cache_bytes), self.block_bytes(setting.kv_bits)) * BLOCK_TOKENS

    def session_tokens(self, setting: _Setting) -> int:
        return min(self.cache_tokens(setting) - SPARE_BLOCKS * BLOCK_TOKENS, self.session_limit)

    def fits(self, setting: _Setting) -> bool:
        return self.session_tokens(setting) >= self.needed_tokens(setting.max_tiles)

    def setting(self) -> _Setting | None:
        """The first setting that fits, None if the weights cannot even be loaded or nothing does."""
        if self.loading_bytes > self.room_bytes:
            return None
        return next((self.for_many(setting) for setting in self.settings() if self.fits(setting)), None)

    def for_many(self, setting: _Setting) -> _Setting:
        """The same for as many askers at once as the cache has tokens for."""
        for at_once in MANY_AT_ONCE:
            larger = replace(setting, at_once=at_once)
            if self.fits(larger) and self.cache_tokens(larger) >= at_once * TOKENS_PER_ONE_OF_MANY:
                return larger
        return setting

    def max_batch(self, setting: _Setting) -> int:
        """How many are answered at once."""
        if setting.at_once > FEW_AT_ONCE:
            return setting.at_once
        return max(1, min(FEW_AT_ONCE, self.cache_tokens(setting) // TOKENS_PER_USER))

    def fit(self) -> bool:
        """Whether there is a plan."""
        return self.setting() is not None

    @property
    def wanted_bits(self) -> int:
        """Bits of the cache where they are not lowered."""
        return 16 if self.memory.kv_bits == "auto" else self.memory.kv_bits

    def settings(self) -> Iterator[_Setting]:
        """The preset's own setting, then KV at 8 bits, then fewer and fewer tiles.

        Fewer bits hold more tokens but lift no session limit: where that is what is short, only the tiles are
        lowered.
        """
        bits = self.wanted_bits
        yield _Setting(bits, self.full_tiles)
        if bits > 8 and self.session_limit >= self.needed_tokens(self.full_tiles):
            bits = 8
            yield _Setting(bits, self.full_tiles)
        for tiles in range(self.full_tiles - 1, 0, -1):
            yield _Setting(bits, tiles)


def plan_memory(
    memory: MemorySettings, sizes: ModelSizes, engine: EngineKind, card: Card, dtype: str | None = None
) -> MemoryPlan:
    """What the model may take, and the settings that keep it there.

    Args:
        memory: the preset's wishes.
        sizes: the checkpoint's shape and bytes.
        engine: whose cache and scratch are planned.
        card: the GPU's memory.
        dtype: what the weights are computed in; the checkpoint's own if None
            (``launcher.gpu_support.compute_dtype``).

    Raises:
        MemoryPlanError: one picture with an answer (for a text model: a question with an answer) does not
            fit, whatever is lowered.
    """
    problem = _Problem(memory, sizes, engine, card, dtype or sizes.dtype)
    setting = problem.setting()
    if setting is None:
        raise _refusal(problem)
    return _plan(problem, setting)


def _plan(problem: _Problem, setting: _Setting) -> MemoryPlan:
    sizes, cache_bytes = problem.sizes, problem.cache_bytes(setting)
    cache_tokens, session_tokens = problem.cache_tokens(setting), problem.session_tokens(setting)
    parts: tuple[tuple[PartName, int], ...] = (
        ("language_model", sizes.language_bytes),
        ("vision_tower", sizes.vision_bytes),
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
        max_prefill_tokens=min(problem.prefill_tokens(setting.max_tiles), session_tokens),
        max_batch=problem.max_batch(setting),
        max_tiles=setting.max_tiles,
        vision=sizes.vision,
        loading_bytes=problem.loading_bytes,
        asleep_bytes=problem.costs.asleep_bytes,
        changes=tuple(_changes(problem, setting, session_tokens)),
    )


def _changes(problem: _Problem, setting: _Setting, session_tokens: int) -> Iterator[PlanChange]:
    memory, ratio_bytes = problem.memory, problem.memory.kv_cache_ratio * problem.free_after_weights()
    cache_bytes = problem.cache_bytes(setting)
    if cache_bytes < int(ratio_bytes):
        yield _change(
            "KV cache ratio {wanted:.3g} -> {chosen:.3g}: the whole share would pass the budget of"
            " {budget:.3g} GiB.",
            wanted=memory.kv_cache_ratio,
            chosen=cache_bytes / problem.free_after_weights(),
            budget=problem.room_bytes / GIB,
        )
    if memory.kv_bits not in ("auto", setting.kv_bits):
        first = _Setting(problem.wanted_bits, problem.full_tiles)
        yield _change(
            "KV cache bits {wanted} -> {chosen}: at {wanted} bits the cache holds {held} tokens, a"
            " picture of {tiles} tiles"
            " with its answer takes {needed}."
            if problem.sizes.vision
            else "KV cache bits {wanted} -> {chosen}: at {wanted} bits the cache holds {held} tokens, a"
            " question with its"
            " answer takes {needed}.",
            wanted=memory.kv_bits,
            chosen=setting.kv_bits,
            held=problem.cache_tokens(first),
            tiles=problem.full_tiles,
            needed=problem.needed_tokens(problem.full_tiles),
        )
    if setting.max_tiles < problem.full_tiles:
        yield _change(
            "Tiles of a picture {wanted} -> {chosen}: the session of {session} tokens has no room for more.",
            wanted=problem.full_tiles,
            chosen=setting.max_tiles,
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


def _refusal(problem: _Problem) -> MemoryPlanError:
    """Why nothing fits, and what has been tried and would: no other way out is named."""
    smallest = list(problem.settings())[-1]
    needed_tokens = problem.needed_tokens(smallest.max_tiles)
    if problem.session_limit < needed_tokens:
        return _too_short(problem, needed_tokens)
    blocks = -(-needed_tokens // BLOCK_TOKENS) + SPARE_BLOCKS
    cache_bytes = problem.costs.cache.bytes_for(blocks, problem.block_bytes(smallest.kv_bits))
    rest_bytes = problem.costs.context_bytes + problem.activation_bytes(smallest)
    together_bytes = problem.weight_bytes + rest_bytes + cache_bytes
    loads = problem.loading_bytes <= problem.room_bytes
    ratio, budget, bits = (
        _ratio_that_fits(problem),
        _budget_that_fits(problem),
        _with(problem, kv_bits=4).fit(),
    )
    needed_gib = _room_that_fits(problem)
    return MemoryPlanError(
        _CANNOT_LOAD if not loads else _SMALL_CACHE if together_bytes <= problem.room_bytes else _NO_ROOM,
        hint=_RAISE_RATIO
        if ratio
        else _RAISE_BUDGET
        if budget
        else _FEWER_BITS
        if bits
        else _FREE_MEMORY
        if problem.card.free_bytes < needed_gib * GIB <= problem.card.total_bytes
        else _LARGER_CARD,
        weights=problem.weight_bytes / GIB,
        rest=rest_bytes / GIB,
        cache=cache_bytes / GIB,
        total=(together_bytes if loads else problem.loading_bytes) / GIB,
        room=problem.room_bytes / GIB,
        ratio=problem.memory.kv_cache_ratio,
        share=max(0, problem.cache_bytes(smallest)) / GIB,
        enough_ratio=ratio,
        budget=budget,
        needed=needed_gib,
        other=_OTHER_WAYS[_pytorch_fits(problem), _twin_fits(problem)],
    )


_CANNOT_LOAD = (
    "The model does not fit {room:.2f} GiB: while its weights of {weights:.2f} GiB load, it takes"
    " {total:.2f} GiB."
)
_SMALL_CACHE = (
    "The KV cache is too small: ratio {ratio:.3g} gives it {share:.2f} GiB, one question with its answer"
    " takes {cache:.2f} GiB."
)
_NO_ROOM = (
    "The model does not fit {room:.2f} GiB: weights {weights:.2f}, CUDA and scratch {rest:.2f}, the smallest"
    " KV cache {cache:.2f}, together {total:.2f} GiB."
)
_RAISE_RATIO = "Raise memory.kv_cache_ratio to {enough_ratio:.2f}. {other}"
_RAISE_BUDGET = "Raise memory.gpu_budget_gib to {budget:.1f}. {other}"
_FEWER_BITS = "Set memory.kv_bits to 4. {other}"
_FREE_MEMORY = (
    "Free memory on the card (nvidia-smi shows who holds it) until {needed:.1f} GiB are free, and let"
    " memory.gpu_budget_gib be no less. {other}"
)
_LARGER_CARD = "It takes a card with {needed:.1f} GiB free, and memory.gpu_budget_gib no less. {other}"
_OTHER_WAYS = {
    (False, False): "Or take a smaller model.",
    (True, False): "Or set engine: pytorch in the preset, which takes less.",
    (False, True): "Or take the preset internvl2-2b-awq, whose weights have 4 bits.",
    (True, True): "Or set engine: pytorch in the preset, or take the preset internvl2-2b-awq, whose weights"
    " have 4 bits.",
}
"""By whether the PyTorch engine and whether the model's 4-bit twin would fit where this does not."""


def _too_short(problem: _Problem, needed_tokens: int) -> MemoryPlanError:
    own = problem.sizes.language.max_positions
    if own < needed_tokens:
        return MemoryPlanError(
            "The model reads at most {session} tokens: the smallest picture or question with an answer takes"
            " {needed}.",
            hint="Take another model.",
            session=own,
            needed=needed_tokens,
        )
    return MemoryPlanError(
        "A session of {session} tokens is too short: the smallest picture or question with an answer"
        " takes {needed}.",
        hint="Set memory.session_tokens to auto, or to {needed} or more.",
        session=problem.session_limit,
        needed=needed_tokens,
    )


def _with(problem: _Problem, **wishes: object) -> _Problem:
    return replace(problem, memory=problem.memory.model_copy(update=wishes))


def _with_room(problem: _Problem, gib: float) -> _Problem:
    """The same model with a budget of so much, on a card that has at least so much free."""
    free_bytes = max(problem.card.free_bytes, int(gib * GIB))
    card = Card(max(problem.card.total_bytes, free_bytes), free_bytes)
    return replace(_with(problem, gpu_budget_gib=max(problem.memory.gpu_budget_gib, gib)), card=card)


def _ratio_that_fits(problem: _Problem) -> float:
    """The smallest in hundredths, 0 for none."""
    return _least(99, lambda hundredths: _with(problem, kv_cache_ratio=hundredths / 100).fit()) / 100


def _budget_that_fits(problem: _Problem) -> float:
    """The smallest in tenths of GiB on this card, 0 for none."""
    most = int(problem.card.free_bytes / GIB * 10)
    return _least(most, lambda tenths: _with(problem, gpu_budget_gib=tenths / 10).fit()) / 10


def _room_that_fits(problem: _Problem) -> float:
    """The smallest, in tenths of GiB, that has to be free on a card and allowed by the budget."""
    found = _least(_MOST_GIB * 10, lambda tenths: _with_room(problem, tenths / 10).fit())
    return found / 10 if found else _MOST_GIB


def _pytorch_fits(problem: _Problem) -> bool:
    """Whether LMDeploy's other engine would do; it, too, serves whatever TurboMind serves."""
    may = problem.engine == "turbomind" and problem.sizes.language.weight_bits == 16
    return may and replace(problem, engine="pytorch").fit()


def _twin_fits(problem: _Problem) -> bool:
    twin = four_bit_twin(problem.sizes)
    return twin is not None and replace(problem, sizes=twin, engine="turbomind").fit()


def _least(most: int, fits: Callable[[int], bool]) -> int:
    """The smallest number from 1 to ``most`` that fits, if all larger ones do as well; 0 for none."""
    if most < 1 or not fits(most):
        return 0
    return bisect.bisect_left(range(most + 1), True, lo=1, key=fits)
