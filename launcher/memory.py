"""The memory plan: preset + checkpoint facts + device facts -> what fits, before anything loads. Pure: no I/O, clock or log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a model may take on its GPU (to be filled in with LMDeploy)."""
