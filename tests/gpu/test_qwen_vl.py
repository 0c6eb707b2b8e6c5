"""On a GPU: LMDeploy's engines with Qwen's picture models on tiny random checkpoints against transformers in
32 bits.

Random weights make no clear favourites among tokens, and 16 bits round; so what is asked of each token that
LMDeploy chose is that transformers, reading the same, finds it as likely as its own choice, but for what
rounding explains. A picture in the wrong place or with wrong pixels, or a token's place that is wrong, makes
other answers altogether.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from launcher import families
from launcher.checkpoints import facts_from_config
from launcher.devices import read_devices
from launcher.engines.base import EngineSpec
from launcher.engines.lmdeploy import LmdeployEngine
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import BilingualText, MemorySettings, Preset
from launcher.readiness import ReadyState, assess, installed_engines
from tests.gpu.test_known_answers import GPU
from tests.models.qwen_vl_reference import LENGTH, Reference, noisy_pictures
from tests.models.tiny_qwen_vl import ARCHITECTURES, write_qwen_vl

pytestmark = list(GPU)
MOST_GAP = 0.05
"""Of the largest logit: how far a chosen token's may lie below the reference's best, at the most; bf16 has 8
bits, and three layers of random weights make some times that of it."""
LEAST_SAME = 0.9
"""Of all tokens: those that are the reference's own choice."""
ENGINES = ("turbomind", "pytorch")


def talks(pictures: dict[str, Path]) -> list[list[Message]]:
    """Eight: one picture, two, none, a second turn; two of them about the same picture."""
    wide, tall, small = (pictures[name] for name in ("wide", "tall", "small"))
    return [
        [Message("user", "What is it?", (wide,))],
        [Message("user", "What colour is the star?", (wide,))],
        [Message("user", "Which is larger?", (tall, small))],
        [Message("user", "图中有几个形状？")],
        [Message("system", "Be kind."), Message("user", "And this?", (tall,))],
        [
            Message("user", "Which?", (small, wide)),
            Message("assistant", "The first."),
            Message("user", "Why?", (small,)),
        ],
        [Message("user", "Hello"), Message("assistant", "return 0"), Message("user", "See?", (tall,))],
        [Message("user", "aaaa aaaa ababab")],
    ]


async def tokens(engine: LmdeployEngine, talk: Sequence[Message]) -> list[int]:
    request = ChatRequest(tuple(talk), GenerationOptions(max_new_tokens=LENGTH))
    return [one async for out in engine._begin(request).pieces() for one in out.token_ids or ()]


def gaps(reference: Reference, talk: Sequence[Message], said: list[int]) -> list[float]:
    """For each token, how far the reference's logit of it lies below its best, as a share of the largest; up
    to one that would stand for a picture, should a random model say that."""
    inputs = reference.inputs(talk)
    place = reference.model.config.image_token_id
    said = said[: said.index(place)] if place in said else said
    prompt = inputs["input_ids"].shape[1]
    answer = torch.tensor([said])
    for name, value in (("input_ids", answer), ("attention_mask", torch.ones_like(answer))):
        inputs[name] = torch.cat([inputs[name], value], dim=1)
    if "mm_token_type_ids" in inputs:
        kinds = inputs["mm_token_type_ids"]
        inputs["mm_token_type_ids"] = torch.cat([kinds, torch.zeros_like(answer, dtype=kinds.dtype)], dim=1)
    with torch.no_grad():
        logits = reference.model(**inputs).logits[0, prompt - 1 : -1]
    best, chosen = logits.max(dim=1).values, logits.gather(1, answer.T)[:, 0]
    return ((best - chosen) / logits.abs().max()).tolist()


def spec(folder: Path, engine: str) -> EngineSpec:
    preset = Preset(
        name="a",
        title=BilingualText(en="A", zh="A"),
        kind="vision",
        sources=(str(folder),),
        engine=engine,
        memory=MemorySettings(max_picture_tokens=256),
    )
    found = assess(preset, read_devices(), installed_engines())
    assert found.state is ReadyState.READY, found.reason
    return EngineSpec(engine, preset, folder, "cuda:0", found.plan, makes_room=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_answers_are_transformers_own_alone_together_and_after_a_sleep(
    kind: str, engine: str, tmp_path: Path
) -> None:
    folder = write_qwen_vl(tmp_path / "model", kind, max_position_embeddings=4096)
    if engine not in families.of(facts_from_config(folder).config).engines:
        pytest.skip(f"LMDeploy's {engine} does not serve {kind}")
    asked = talks(noisy_pictures(tmp_path))
    rounds = asyncio.run(_rounds(spec(folder, engine), asked))
    reference = Reference(folder, most_tokens=256)
    for said in rounds:
        found = [gaps(reference, talk, each) for talk, each in zip(asked, said, strict=True)]
        every = [gap for each in found for gap in each]
        assert min(len(each) for each in found) > 3
        assert max(every) < MOST_GAP, (kind, engine, [max(each) for each in found])
        assert sum(gap == 0 for gap in every) >= LEAST_SAME * len(every)


async def _rounds(wanted: EngineSpec, asked: list[list[Message]]) -> list[list[list[int]]]:
    """What is said alone, in a batch, and in a batch after the engine has slept."""
    engine = LmdeployEngine(wanted)
    await engine.prepare()
    await engine.load(lambda _stage, _fraction: None)
    alone = [await tokens(engine, talk) for talk in asked]
    together = await asyncio.gather(*(tokens(engine, talk) for talk in asked))
    await engine.sleep()
    await engine.load(lambda _stage, _fraction: None)
    awake = await asyncio.gather(*(tokens(engine, talk) for talk in asked))
    await engine.close()
    return [alone, list(together), list(awake)]
