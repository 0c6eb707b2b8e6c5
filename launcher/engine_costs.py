"""What each LMDeploy engine takes of a GPU beside the weights, and how it cuts its KV cache into blocks; what
the transformers engine keeps of what it has read.

What fits beside them is ``launcher.memory``'s question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineKind = Literal["turbomind", "pytorch"]

MIB = 2**20
KEPT_CONVERSATION_BYTES = 1024 * MIB
"""Of KV cache that the transformers engine keeps, in the memory of the model's device: about 5,000 tokens of
a 2B model at 32 bits, or many whole conversations of a built-in one."""

KEPT_PICTURE_BYTES = 256 * MIB
"""Of what its tower has made of pictures, in the same memory: some ten large ones of a 2B model at 32
bits."""

RATIO_MARGIN = 0.03
"""How far the free memory that TurboMind sees may lie from the plan's before a planned cache page is
missing."""


@dataclass(frozen=True, slots=True)
class TurbomindCache:
    """TurboMind's paged cache: 32 MiB pages, joined to slabs of 2^k pages until blocks fill 95 % of a slab.

    Source: LMDeploy 0.18 ``src/turbomind/memory/{page,slab}.h`` and ``object.cc``. The region is aligned up
    to a page.
    """

    page_bytes: int = 32 * MIB
    max_slab_bytes: int = 1024 * MIB
    fill: float = 0.95

    def blocks(self, cache_bytes: int, block_bytes: int) -> int:
        """Blocks that a region of ``cache_bytes`` holds for certain."""
        slab_bytes = self.slab_bytes(block_bytes)
        usable_bytes = int(cache_bytes * (1 - RATIO_MARGIN)) - self.page_bytes
        return max(0, usable_bytes // slab_bytes) * (slab_bytes // block_bytes)

    def bytes_for(self, blocks: int, block_bytes: int) -> int:
        """The smallest region that holds ``blocks`` for certain."""
        slab_bytes = self.slab_bytes(block_bytes)
        slabs = -(-blocks // (slab_bytes // block_bytes))
        return int((slabs * slab_bytes + self.page_bytes) / (1 - RATIO_MARGIN)) + 1

    def slab_bytes(self, block_bytes: int) -> int:
        """The slab that TurboMind cuts into blocks of this size."""
        slab_bytes = self.page_bytes
        while slab_bytes < block_bytes:
            slab_bytes *= 2
        while (
            slab_bytes // block_bytes * block_bytes < self.fill * slab_bytes
            and slab_bytes * 2 <= self.max_slab_bytes
        ):
            slab_bytes *= 2
        return slab_bytes


@dataclass(frozen=True, slots=True)
class PytorchCache:
    """The PyTorch engine's cache: a number of blocks that the plan itself sets (``num_gpu_blocks``)."""

    def blocks(self, cache_bytes: int, block_bytes: int) -> int:
        """Blocks that ``cache_bytes`` hold."""
        return cache_bytes // block_bytes

    def bytes_for(self, blocks: int, block_bytes: int) -> int:
        """Bytes of ``blocks`` blocks."""
        return blocks * block_bytes


@dataclass(frozen=True, slots=True)
class EngineCosts:
    """What an engine takes besides weights and cache.

    ``context_bytes``: CUDA context and code; ``workspace_bytes``: GEMM and attention scratch, whatever the
        model;
    ``token_factor``: times hidden + intermediate elements for each prefilled token; ``tile_factor``: times
        the picture tower's hidden + intermediate for each of a tile's patches; ``logit_factor``: 4-byte
        copies of the vocabulary for each user;
    ``four_bit_share``: of the bytes of linear layers in 4 bits, what is held of them beside;
        ``four_bit_load_share``: the same while the weights load;
    ``load_copies``: copies of the embedding table that are held besides the weights while they load, and then
        given back;
    ``own_bytes``: of the context, what it takes each time that it is built; ``code_bytes``: of kernels, the
        first time. With the weights these are all that comes before it makes its cache of a share of the
        rest; 0 where the plan says the cache's size itself;
    ``asleep_bytes``: what the process still holds once it sleeps, mostly its context;
    ``copies_tied_head``: it builds a head of its own from a tied embedding table;
    ``pads_towers``: it fills up heads of a picture tower (``TowerSizes.padding_bytes``);
    ``crowd``: so many questions about pictures are read at once, if the cache has room for them; 0 where it
        reads one after the other; ``crowd_factor``: times the tower's hidden elements for each patch of those
        beyond ``memory.problem.PICTURES_IN_PASSING``;
    ``linear_bytes``: what its kernels for linear layers take, whatever the model, and keep in a sleep;
    ``states_in_cache``: the states of linear layers (``ModelSizes.state_bytes``) lie in the region of its KV
        cache, and not beside it; ``spare_states``: so many are held beside one for each that is answered;
    ``heads``: numbers in each head of the models that it has kernels for; ``quantised_heads``: of those whose
        cache it keeps in fewer than 16 bits; empty where that is all models.
    """

    cache: TurbomindCache | PytorchCache
    context_bytes: int
    workspace_bytes: int
    token_factor: float
    tile_factor: float
    logit_factor: float
    load_copies: float
    asleep_bytes: int
    copies_tied_head: bool
    own_bytes: int = 0
    code_bytes: int = 0
    four_bit_share: float = 0.0
    four_bit_load_share: float = 0.0
    pads_towers: bool = False
    crowd: int = 0
    crowd_factor: float = 0.0
    linear_bytes: int = 0
    states_in_cache: bool = False
    spare_states: int = 0
    heads: frozenset[int] = frozenset()
    quantised_heads: frozenset[int] = frozenset()

    def serves(self, head_dim: int) -> bool:
        """Whether it has kernels for a model with such heads."""
        return not self.heads or head_dim in self.heads

    def takes_bits(self, kv_bits: int, head_dim: int) -> bool:
        """Whether the cache of a model with such heads may have so few bits."""
        return kv_bits == 16 or not self.quantised_heads or head_dim in self.quantised_heads


# Measured at full size on an H200 (docs/measurements.md, tests/gpu/measure.py): totals within 1 % on
# TurboMind with 6 to 80 GiB free, and within 2 % on the PyTorch engine. TurboMind's context includes the 340
# MiB that it takes before the first weight.
COSTS: dict[EngineKind, EngineCosts] = {
    "turbomind": EngineCosts(
        TurbomindCache(),
        862 * MIB,
        200 * MIB,
        token_factor=3.0,
        tile_factor=1.4,
        logit_factor=4.0,
        load_copies=3.3,
        asleep_bytes=760 * MIB,
        copies_tied_head=True,
        own_bytes=322 * MIB,
        code_bytes=106 * MIB,
        # InternVL2-2B's and Qwen2.5-VL-3B's, whose linear layers take 748 and 1,373 MiB, held 325 and 562 MiB
        # more once loaded, 165 and 307 on the way: converted copies, and gaps between what they replace.
        four_bit_share=0.42,
        four_bit_load_share=0.22,
        pads_towers=True,
        # Its tower looks at the pictures of all prompts that it reads at once side by side, and whole, though
        # all but an end of them is in the cache already. InternVL3-1B took 194 MiB more when 4 people asked
        # about one picture at once, 642 with 8; Qwen2.5-VL-3B 132 and 356. Models whose cache has room for
        # one such picture took none.
        crowd=4,
        crowd_factor=4.8,
        # Its layers register their states with the cache, as LMDeploy 0.18's library shows
        # (``GatedDeltaNetLayer(…, CacheRegistry&, …)``). Qwen3.5-2B held 1 % less than so planned.
        states_in_cache=True,
        # Every card has these (tests/engines/test_turbomind_kernels.py asks the library), Ampere 192 as well.
        heads=frozenset({64, 128, 256}),
        # LMDeploy's own word (docs/en/supported_models, note 2). Its 0.18 has kernels for 64 and 256 as well;
        # until someone has compared their answers on a card, they stay unused.
        quantised_heads=frozenset({128}),
    ),
    "pytorch": EngineCosts(
        PytorchCache(),
        512 * MIB,
        350 * MIB,
        token_factor=4.0,
        tile_factor=2.4,
        logit_factor=6.0,
        load_copies=0.0,
        asleep_bytes=840 * MIB,
        copies_tied_head=False,
        # LMDeploy's ``ExecutorBase._get_state_cache_mem``.
        spare_states=2,
        # Qwen3.5-2B held 420 MiB more at work than without, and asleep 522 more than XComposer2.
        linear_bytes=500 * MIB,
    ),
}
