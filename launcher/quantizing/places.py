"""Where a checkpoint is made, and what of it is there already: known without torch."""

from __future__ import annotations

from pathlib import Path


def work_folder(target: Path) -> Path:
    """The folder beside ``target`` where that is made."""
    return target.with_name(f"{target.name}.unfinished")


def finished_bytes(target: Path) -> int:
    """Bytes of the weight files that an earlier run has left for this one."""
    return sum(file.stat().st_size for file in work_folder(target).glob("*.safetensors"))
