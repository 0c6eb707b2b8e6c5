"""A checkpoint's folder on the transformers engine, loaded on the CPU: what it answers, and its first logits
against those of transformers' own model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from launcher.engines.base import EngineSpec
from launcher.engines.transformers import TransformersEngine
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import BilingualText, MemorySettings, Preset

LENGTH = 16
"""Of an answer, in tokens, unless a test says otherwise."""


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


def asked(text: str, *pictures: Path) -> Message:
    return Message("user", text, pictures)


async def answer(engine: TransformersEngine, talk: Sequence[Message], **options: Any) -> tuple[str, int, int]:
    """Text, and tokens of the prompt and of its pictures."""
    request = ChatRequest(tuple(talk), GenerationOptions(**{"max_new_tokens": LENGTH, **options}))
    chunks = [chunk async for chunk in engine.stream(request)]
    usage = chunks[-1].usage
    assert usage is not None
    return "".join(chunk.text for chunk in chunks), usage.prompt_tokens, usage.picture_tokens


def assert_same_first_logits(
    engine: TransformersEngine, talk: tuple[Message, ...], inputs: Mapping[str, Any], model: nn.Module
) -> None:
    """The engine gives the model the ids of ``inputs``, and has its logits of the first token."""
    assert engine._ready is not None
    prompt = engine._ready.prompts.make(ChatRequest(talk, GenerationOptions()))
    assert prompt.ids == inputs["input_ids"][0].tolist()
    generation = engine._ready.generation(prompt, GenerationOptions())
    with torch.no_grad():
        found = generation._read(torch.tensor([prompt.ids]), prompt.pictures)
        expected = model(**inputs).logits[:, -1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
