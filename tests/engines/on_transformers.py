"""A checkpoint's folder on the transformers engine, loaded on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from launcher.engines.base import EngineSpec
from launcher.engines.transformers import TransformersEngine
from launcher.presets import BilingualText, MemorySettings, Preset


async def loaded(
    folder: Path, kind: Literal["vision", "text"], memory: MemorySettings | None = None
) -> TransformersEngine:
    preset = Preset(
        name="a",
        title=BilingualText(en="A", zh="A"),
        kind=kind,
        sources=("/a",),
        memory=memory or MemorySettings(),
    )
    engine = TransformersEngine(EngineSpec("transformers", preset, folder, "cpu"))
    await engine.prepare()
    await engine.load(lambda _stage, _fraction: None)
    return engine
