"""What a memory plan is: the parts that a model takes of its GPU, and the settings that keep it there. Plain
values, which cross to the model's process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from launcher.engine_costs import EngineKind
from launcher.errors import Remark
from launcher.families import ModelSizes, PictureUnit
from launcher.presets import MemorySettings

PartName = Literal["language_model", "vision_tower", "projector", "cuda_context", "activations", "kv_cache"]


GIB = 2**30


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU's memory as the plan needs it: what it has, and what other processes leave free of it."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class FourBits:
    """The same model with weights of four bits, as a refusal may propose it: what it would be planned by, and
    the preset that has it, or the command that makes it."""

    sizes: ModelSizes
    engine: EngineKind
    memory: MemorySettings
    preset: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One line of the plan."""

    name: PartName
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PlanChange(Remark):
    """What the plan changed from the preset and why; its values are plain, as it crosses to the model's
    process."""

    values: tuple[tuple[str, str | int | float], ...]


@dataclass(frozen=True, slots=True)
class PlannedPicture:
    """The largest picture that a plan admits: ``limit`` in the ``unit`` of the family's budget
    (``PictureBudget.limited`` gives it back), its tokens, and itself in words."""

    unit: PictureUnit
    limit: int
    tokens: int
    shown: str


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a model may take on its GPU, and the engine settings that keep it there.

    ``session_tokens`` bounds prompt plus answer, ``picture`` is None for a text model, ``cache_tokens`` is
    what the KV cache holds for certain, ``cache_ratio`` its share of the memory that is free after the
    weights, ``loading_bytes`` what is held for a moment while the weights load, ``asleep_bytes`` what stays
    when the model sleeps in its process.
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
    picture: PlannedPicture | None = None
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
    def max_tiles(self) -> int:
        """Tiles of the largest picture without its thumbnail: 1 where it is squeezed to one, 0 where the
        model knows of none."""
        return self.picture.limit if self.picture and self.picture.unit == "tiles" else 0

    @property
    def picture_tokens(self) -> int:
        """Tokens that the largest picture costs, 0 for a text model."""
        return self.picture.tokens if self.picture else 0
