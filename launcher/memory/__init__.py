"""The memory plan: preset + model sizes + card -> what fits on the GPU, before anything loads. Pure: no I/O,
clock or log.

LMDeploy's ``cache_max_entry_count`` is a share of whatever is free after the weights, so alone it says
neither how much a model takes nor how long a conversation may be: with its default session TurboMind's
warm-up spins for ever on an 8 GB card. The plan turns ratio and budget into bytes, bytes into whole cache
blocks (``launcher.engine_costs``), and derives from them session, prefill length, batch and pictures so that
the warm-up and every admitted request fit.
"""

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
from launcher.memory.planning import plan_memory
from launcher.memory.problem import (
    ANSWER_TOKENS,
    BLOCK_TOKENS,
    FEW_AT_ONCE,
    PROMPT_TOKENS,
    TOKENS_PER_ONE_OF_MANY,
    TOKENS_PER_USER,
    wished_pictures,
)

__all__ = [
    "ANSWER_TOKENS",
    "BLOCK_TOKENS",
    "FEW_AT_ONCE",
    "GIB",
    "PROMPT_TOKENS",
    "TOKENS_PER_ONE_OF_MANY",
    "TOKENS_PER_USER",
    "Card",
    "FourBits",
    "MemoryPart",
    "MemoryPlan",
    "PartName",
    "PlanChange",
    "PlannedPicture",
    "plan_memory",
    "wished_pictures",
]
