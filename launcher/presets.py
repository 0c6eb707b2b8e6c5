"""Preset files: YAML in, frozen ``Preset`` out; owns the schema and every message about a wrong file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Auto = Literal["auto"]
EngineName = Literal["auto", "turbomind", "pytorch", "transformers", "scripted"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BilingualText(_Section):
    """The same text for an English and a Chinese reader. A plain string in the file serves both."""

    en: str
    zh: str


class MemorySettings(_Section):
    """How much of the GPU a model may take."""

    kv_cache_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.1
    kv_bits: Literal[16, 8, 4] = 16
    gpu_budget_gib: Annotated[float, Field(gt=0, le=1024)] = 8.0
    session_tokens: Annotated[int, Field(ge=64)] | Auto = "auto"
    max_tiles: Annotated[int, Field(ge=1, le=64)] | Auto = "auto"


class ChatSettings(_Section):
    """How a conversation is written down for the model. ``template`` auto takes the architecture's own."""

    template: Literal["auto", "internlm2", "internvl2", "xcomposer2"] = "auto"
    system_prompt: str = ""
    stop: tuple[str, ...] = ()


class GenerationSettings(_Section):
    """Defaults for drawing answers; the page's sliders start here."""

    max_new_tokens: Annotated[int, Field(ge=1, le=32768)] = 512
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    repetition_penalty: Annotated[float, Field(ge=0.5, le=2)] = 1.0


class Example(_Section):
    """A question to try, with pictures next to the preset file."""

    question: BilingualText
    pictures: tuple[Path, ...] = ()


class Preset(_Section):
    """One model as the launcher offers it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
    title: BilingualText
    kind: Literal["vision", "text"]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    engine: EngineName = "auto"
    memory: MemorySettings = MemorySettings()
    chat: ChatSettings = ChatSettings()
    generation: GenerationSettings = GenerationSettings()
    examples: tuple[Example, ...] = ()
