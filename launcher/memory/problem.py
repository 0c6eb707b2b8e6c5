"""One model against one card: what each setting would take, and the first that fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from launcher.engine_costs import COSTS, EngineCosts, EngineKind
from launcher.families import ELEMENT_BYTES, ModelSizes, PictureBudget
from launcher.memory.plan import GIB, Card
from launcher.presets import MemorySettings

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
PICTURES_IN_PASSING = 2
"""Side by side they take no more than one."""
TOKENS_PER_USER = 512
FEW_AT_ONCE = 16
"""Askers at once, one for each TOKENS_PER_USER of the cache, up to this many."""
MANY_AT_ONCE = (128, 64, 32)
TOKENS_PER_ONE_OF_MANY = 320
"""Of the cache, for a short question with an answer of 256 tokens: where there is so much for each, many are
answered at once. Who asks or is told more takes it from the others, and the engine lets the newest wait."""


def wished_pictures(own: PictureBudget | None, memory: MemorySettings) -> PictureBudget | None:
    """The model's picture budget within what a preset asks for; None for a text model.

    Raises:
        PresetError: this model's pictures cannot be bounded so.
    """
    if own is None:
        return None
    tiles, tokens = memory.max_tiles, memory.max_picture_tokens
    return own.wished(None if tiles == "auto" else tiles, None if tokens == "auto" else tokens)


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run the model, to be tried against the budget."""

    kv_bits: int
    pictures: PictureBudget | None
    at_once: int = FEW_AT_ONCE


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that does not change while settings are tried."""

    memory: MemorySettings
    sizes: ModelSizes
    engine: EngineKind
    card: Card
    dtype: str

    @property
    def costs(self) -> EngineCosts:
        """What the engine takes beside weights and cache."""
        return COSTS[self.engine]

    @property
    def budget_bytes(self) -> int:
        """The preset's budget."""
        return int(self.memory.gpu_budget_gib * GIB)

    @property
    def room_bytes(self) -> int:
        """What this model may take: the preset's budget, or less where the card has less free."""
        return min(self.budget_bytes, self.card.free_bytes)

    @property
    def language_bytes(self) -> int:
        """The language model, as the engine keeps it."""
        return self._language_bytes(self.costs.four_bit_share)

    def _language_bytes(self, four_bit_share: float) -> int:
        language, sizes = self.sizes.language, self.sizes
        head_bytes = language.table_bytes if language.tied and self.costs.copies_tied_head else 0
        return sizes.language_bytes + head_bytes + int(four_bit_share * sizes.four_bit_bytes)

    @property
    def vision_bytes(self) -> int:
        """The picture tower, as the engine keeps it."""
        tower = self.sizes.tower
        padding_bytes = tower.padding_bytes if tower and self.costs.pads_towers else 0
        return self.sizes.vision_bytes + padding_bytes

    @property
    def weight_bytes(self) -> int:
        """All weights, as the engine keeps them."""
        return self._weight_bytes(self.costs.four_bit_share)

    def _weight_bytes(self, four_bit_share: float) -> int:
        return self._language_bytes(four_bit_share) + self.vision_bytes + self.sizes.projector_bytes

    @property
    def linear_bytes(self) -> int:
        """What the engine's kernels for linear layers take."""
        return self.costs.linear_bytes if self.sizes.language.linear_layers else 0

    @property
    def loading_bytes(self) -> int:
        """Context, weights, and the copies that are made of the embedding table on the way: as its file has
        it, and once more where 16 bits are made of wider numbers."""
        costs = self.costs
        weight_bytes = self._weight_bytes(costs.four_bit_load_share)
        copies_bytes = costs.load_copies * self.sizes.read_table_bytes
        if costs.load_copies and self.sizes.number_bytes > ELEMENT_BYTES:
            copies_bytes += self.sizes.language.table_bytes
        return costs.context_bytes + weight_bytes + int(copies_bytes)

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
    def full_pictures(self) -> PictureBudget | None:
        """The picture budget before anything is lowered. Raises PresetError."""
        return wished_pictures(self.sizes.pictures, self.memory)

    def block_bytes(self, kv_bits: int) -> int:
        """One cache block."""
        return BLOCK_TOKENS * self.sizes.kv_token_bytes(kv_bits)

    def needed_tokens(self, pictures: PictureBudget | None) -> int:
        """Session that the largest picture (none for a text model) with an answer takes."""
        return (pictures.most_tokens if pictures else 0) + PROMPT_TOKENS + ANSWER_TOKENS

    def state_bytes(self, setting: Setting) -> int:
        """The states of linear layers, of all that are answered at once."""
        own = self.sizes.state_bytes
        return self.costs.cache.bytes_for(setting.at_once + self.costs.spare_states, own) if own else 0

    def activation_bytes(self, setting: Setting) -> int:
        """Scratch, one prefill's hidden states, the tower's states for one picture and what a crowd's take
        more, the logits of a full batch, and the states of linear layers where they lie beside the cache."""
        language, tower, costs = self.sizes.language, self.sizes.tower, self.costs
        token_bytes = costs.token_factor * (language.hidden + language.intermediate) * ELEMENT_BYTES
        logit_bytes = costs.logit_factor * 4 * language.vocab * setting.at_once
        picture_bytes = 0.0
        if tower is not None and setting.pictures is not None:
            patch_bytes = costs.tile_factor * (tower.hidden + tower.intermediate) * ELEMENT_BYTES
            crowd_bytes = costs.crowd_factor * tower.hidden * ELEMENT_BYTES
            crowd = max(0, self.crowd(setting) - PICTURES_IN_PASSING)
            picture_bytes = setting.pictures.most_patches * (patch_bytes + crowd * crowd_bytes)
        state_bytes = self.state_bytes(setting) - self.states_in_cache(setting)
        return (
            costs.workspace_bytes
            + self.linear_bytes
            + state_bytes
            + int(self.prefill_tokens(setting.pictures) * token_bytes + picture_bytes + logit_bytes)
        )

    def crowd(self, setting: Setting) -> int:
        """So many of the largest picture the engine may look at side by side: as many as it is asked about
        at once, or as the preset's ratio gives the cache room for."""
        if setting.pictures is None or not self.costs.crowd:
            return 0
        tokens = self._tokens_in(self.ratio_bytes, setting)
        return min(self.costs.crowd, setting.at_once, tokens // setting.pictures.most_tokens)

    def prefill_tokens(self, pictures: PictureBudget | None) -> int:
        """What is read at a time: the PyTorch engine never splits a picture (LMDeploy's ``long_context.py``),
        TurboMind does."""
        whole = pictures.most_tokens if pictures and self.engine == "pytorch" else 0
        return max(PREFILL_TOKENS, whole)

    def free_after_weights(self) -> int:
        """What LMDeploy's ratio is a share of."""
        return self.card.free_bytes - self.costs.context_bytes - self.weight_bytes

    @property
    def ratio_bytes(self) -> int:
        """The preset's ratio of the free memory."""
        return int(self.memory.kv_cache_ratio * self.free_after_weights())

    def cache_bytes(self, setting: Setting) -> int:
        """The preset's ratio of the free memory, or less where the budget ends first."""
        left = self.room_bytes - self.costs.context_bytes - self.weight_bytes - self.activation_bytes(setting)
        return min(self.ratio_bytes, left)

    def cache_tokens(self, setting: Setting) -> int:
        """Tokens that the cache holds for certain."""
        cache_bytes = self.cache_bytes(setting) - self.states_in_cache(setting)
        return self._tokens_in(cache_bytes, setting)

    def _tokens_in(self, cache_bytes: int, setting: Setting) -> int:
        return self.costs.cache.blocks(max(0, cache_bytes), self.block_bytes(setting.kv_bits)) * BLOCK_TOKENS

    def states_in_cache(self, setting: Setting) -> int:
        """What the states of linear layers take of the cache."""
        return self.state_bytes(setting) if self.costs.states_in_cache else 0

    def session_tokens(self, setting: Setting) -> int:
        """The longest session, prompt and answer."""
        return min(self.cache_tokens(setting) - SPARE_BLOCKS * BLOCK_TOKENS, self.session_limit)

    def fits(self, setting: Setting) -> bool:
        """Whether the largest picture with an answer has room."""
        return self.session_tokens(setting) >= self.needed_tokens(setting.pictures)

    def setting(self) -> Setting | None:
        """The first setting that fits, None if the weights cannot even be loaded or nothing does."""
        if self.loading_bytes > self.room_bytes:
            return None
        return next((self.for_many(setting) for setting in self.settings() if self.fits(setting)), None)

    def for_many(self, setting: Setting) -> Setting:
        """The same for as many askers at once as the cache has tokens for."""
        for at_once in MANY_AT_ONCE:
            larger = replace(setting, at_once=at_once)
            if self.fits(larger) and self.cache_tokens(larger) >= at_once * TOKENS_PER_ONE_OF_MANY:
                return larger
        return setting

    def max_batch(self, setting: Setting) -> int:
        """How many are answered at once."""
        if setting.at_once > FEW_AT_ONCE:
            return setting.at_once
        return max(1, min(FEW_AT_ONCE, self.cache_tokens(setting) // TOKENS_PER_USER))

    def fit(self) -> bool:
        """Whether there is a plan."""
        return self.setting() is not None

    @property
    def wanted_bits(self) -> int:
        """Bits of the cache where they are not lowered: 16 where the engine has no fewer for this model."""
        wanted = self.memory.kv_bits
        return 16 if wanted == "auto" or not self.takes_bits(wanted) else wanted

    def takes_bits(self, kv_bits: int) -> bool:
        """Whether the engine can keep this model's cache in so many bits."""
        return self.costs.takes_bits(kv_bits, self.sizes.language.head_dim)

    def settings(self) -> Iterator[Setting]:
        """The preset's own setting, then KV at 8 bits where the engine has them, then smaller and smaller
        pictures.

        Fewer bits hold more tokens but lift no session limit: where that is what is short, only the pictures
        are lowered.
        """
        bits, pictures = self.wanted_bits, self.full_pictures
        yield Setting(bits, pictures)
        if bits > 8 and self.takes_bits(8) and self.session_limit >= self.needed_tokens(pictures):
            bits = 8
            yield Setting(bits, pictures)
        while pictures is not None and (pictures := pictures.lowered()) is not None:
            yield Setting(bits, pictures)
