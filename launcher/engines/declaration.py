"""What an engine says of itself, without being imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Device = Literal["cpu", "cuda", "remote"]
"""``remote``: nothing is computed on this machine."""
LMDEPLOY = "lmdeploy>=0.18,<0.19"
"""What pip installs for the engines that are LMDeploy's."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One engine."""

    name: str
    """What presets call it."""
    title: str
    """What people call it, within a sentence."""
    runs: str
    """Its class, behind ``launcher.engines.base.Engine``: "package.module:Class". Imported where it lives
    alone, when a model is to be loaded."""
    devices: tuple[Device, ...]
    """What it computes on, the faster first."""
    needs: Literal["checkpoint", "folder", "endpoint"] = "checkpoint"
    """What a preset has to name: as its source a checkpoint of a family that the launcher knows, or any
    folder; or, under ``engine``, a server."""
    home: Literal["process", "loop"] = "process"
    """Where it lives: in a process of the model's own, or on a thread's event loop in the launcher, for one
    that imports and computes nothing heavy and never blocks."""
    is_planned: bool = False
    """Its GPU memory is planned before it is loaded (``launcher.memory``); ``launcher.families`` says which
    families it serves."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """What has to be importable for it, each module with the requirement that pip installs it by."""
