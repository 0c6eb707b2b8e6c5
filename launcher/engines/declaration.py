"""What an engine says of itself, without being imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One engine."""

    name: str
    """What presets call it."""
    title: str
    """What people call it, within a sentence."""
    runs: str
    """Its class, behind ``launcher.engines.base.Engine``: "package.module:Class". Imported in the model's own
    process alone."""
    devices: tuple[Device, ...]
    """What it computes on, the faster first."""
    needs: Literal["checkpoint", "folder"] = "checkpoint"
    """What a preset's source has to be: a checkpoint of a family that the launcher knows, or any folder."""
    is_planned: bool = False
    """Its GPU memory is planned before it is loaded (``launcher.memory``); ``launcher.families`` says which
    families it serves."""
    packages: tuple[str, ...] = ()
    """What pip installs for it: requirements."""
    modules: tuple[str, ...] = ()
    """What has to be importable for it."""
