"""Why nothing fits, and what has been tried and would: no other way out is named."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import replace

from launcher.errors import MemoryPlanError
from launcher.memory.plan import GIB, Card, FourBits
from launcher.memory.problem import BLOCK_TOKENS, SPARE_BLOCKS, Problem

_MOST_GIB = 1024
"""A card larger than any, as the budget's own limit."""


def refusal(problem: Problem, four_bits: FourBits | None) -> MemoryPlanError:
    """The refusal of a problem that has no setting; ``four_bits`` is its model in that form, where it can be
    had."""
    smallest = list(problem.settings())[-1]
    needed_tokens = problem.needed_tokens(smallest.pictures)
    if problem.session_limit < needed_tokens:
        return _too_short(problem, needed_tokens)
    blocks = -(-needed_tokens // BLOCK_TOKENS) + SPARE_BLOCKS
    cache_bytes = problem.costs.cache.bytes_for(blocks, problem.block_bytes(smallest.kv_bits))
    cache_bytes += problem.states_in_cache(smallest)
    rest_bytes = problem.costs.context_bytes + problem.activation_bytes(smallest)
    together_bytes = problem.weight_bytes + rest_bytes + cache_bytes
    loads = problem.loading_bytes <= problem.room_bytes
    ratio, budget, bits = (
        _ratio_that_fits(problem),
        _budget_that_fits(problem),
        _with(problem, kv_bits=4).fit(),
    )
    needed_gib = _room_that_fits(problem)
    way = _way_to(four_bits, problem) if four_bits is not None else ""
    kind = "" if four_bits is None or not way else "preset" if four_bits.preset else "command"
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
        other=_OTHER_WAYS[_pytorch_fits(problem), kind],
        way=way,
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
_RAISE_RATIO = "Raise memory.kv_cache_ratio to {enough_ratio:.2f}. {other}{way}"
_RAISE_BUDGET = "Raise memory.gpu_budget_gib to {budget:.1f}. {other}{way}"
_FEWER_BITS = "Set memory.kv_bits to 4. {other}{way}"
_FREE_MEMORY = (
    "Free memory on the card (nvidia-smi shows who holds it) until {needed:.1f} GiB are free, and let"
    " memory.gpu_budget_gib be no less. {other}{way}"
)
_LARGER_CARD = "It takes a card with {needed:.1f} GiB free, and memory.gpu_budget_gib no less. {other}{way}"
_OTHER_WAYS = {
    (False, ""): "Or take a smaller model.",
    (True, ""): "Or set engine: pytorch in the preset, which takes less.",
    (False, "preset"): "Or take its preset with weights of 4 bits:",
    (True, "preset"): "Or set engine: pytorch in the preset, or take its preset with weights of 4 bits:",
    (False, "command"): "Or give its weights 4 bits; type:",
    (True, "command"): "Or set engine: pytorch in the preset, or give its weights 4 bits; type:",
}
"""By whether the PyTorch engine would fit where this does not, and how a person comes to the model in four
bits, where that would; the preset or the command follows."""


def _too_short(problem: Problem, needed_tokens: int) -> MemoryPlanError:
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


def _with(problem: Problem, **wishes: object) -> Problem:
    return replace(problem, memory=problem.memory.model_copy(update=wishes))


def _with_room(problem: Problem, gib: float) -> Problem:
    """The same model with a budget of so much, on a card that has at least so much free."""
    free_bytes = max(problem.card.free_bytes, int(gib * GIB))
    card = Card(max(problem.card.total_bytes, free_bytes), free_bytes)
    return replace(_with(problem, gpu_budget_gib=max(problem.memory.gpu_budget_gib, gib)), card=card)


def _ratio_that_fits(problem: Problem) -> float:
    """The smallest in hundredths, 0 for none."""
    return _least(99, lambda hundredths: _with(problem, kv_cache_ratio=hundredths / 100).fit()) / 100


def _budget_that_fits(problem: Problem) -> float:
    """The smallest in tenths of GiB on this card, 0 for none."""
    most = int(problem.card.free_bytes / GIB * 10)
    return _least(most, lambda tenths: _with(problem, gpu_budget_gib=tenths / 10).fit()) / 10


def _room_that_fits(problem: Problem) -> float:
    """The smallest, in tenths of GiB, that has to be free on a card and allowed by the budget."""
    found = _least(_MOST_GIB * 10, lambda tenths: _with_room(problem, tenths / 10).fit())
    return found / 10 if found else _MOST_GIB


def _pytorch_fits(problem: Problem) -> bool:
    """Whether LMDeploy's other engine would do; it, too, serves whatever TurboMind serves."""
    may = problem.engine == "turbomind" and problem.sizes.language.weight_bits == 16
    return may and replace(problem, engine="pytorch").fit()


def _way_to(small: FourBits, problem: Problem) -> str:
    """How a person comes to the model in four bits; "" where that would not fit either. A preset may need
    another share for its cache on this card, which is named."""
    planned = Problem(small.memory, small.sizes, small.engine, problem.card, small.sizes.dtype)
    if planned.fit():
        return f" {small.preset or small.command}"
    ratio = _ratio_that_fits(planned) if small.preset else 0
    return f" {small.preset} (memory.kv_cache_ratio: {ratio:.2f})" if ratio else ""


def _least(most: int, fits: Callable[[int], bool]) -> int:
    """The smallest number from 1 to ``most`` that fits, if all larger ones do as well; 0 for none."""
    if most < 1 or not fits(most):
        return 0
    return bisect.bisect_left(range(most + 1), True, lo=1, key=fits)
