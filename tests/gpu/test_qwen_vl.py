"""On a GPU: LMDeploy's engines with Qwen's picture models on tiny random checkpoints against transformers in
32 bits.

Random weights make no clear favourites among tokens, and 16 bits round; so each token that LMDeploy chose is
weighed by transformers, once reading the same, once with other pictures in their places. In 16 bits on the
CPU transformers' own answers lie 0.04 of the largest logit below its best with Qwen2.5-VL's random model
(0.61 with other pictures), and 0.0001 with Qwen3-VL's (0.009). On the PyTorch engine Qwen3.5 needs tilelang.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

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
from tests.engines.on_transformers import LENGTH
from tests.gpu.test_known_answers import GPU
from tests.models.noisy_pictures import noisy_pictures
from tests.models.qwen_vl_reference import Reference
from tests.models.tiny_qwen_vl import ARCHITECTURES, write_qwen_vl

pytestmark = [*GPU, pytest.mark.filterwarnings("default")]
"""The engines run in pytest's own process, and with them what their libraries say of one another."""
MOST_SHARE = 0.25
"""Of the mean gap that other pictures make."""
SPREAD = 0.2
"""Of the weights: with less nothing depends on a picture, with more a last bit changes everything."""
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
    shares: list[float] = ((best - chosen) / logits.abs().max()).tolist()
    return shares


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
    folder = write_qwen_vl(tmp_path / "model", kind, spread=SPREAD, max_position_embeddings=4096)
    if engine not in families.of(facts_from_config(folder).config).engines:
        pytest.skip(f"LMDeploy's {engine} does not serve {kind}")
    pictures = noisy_pictures(tmp_path)
    asked = talks(pictures)
    others = talks({"wide": pictures["small"], "tall": pictures["wide"], "small": pictures["tall"]})
    rounds = asyncio.run(_rounds(spec(folder, engine), asked))
    reference = Reference(folder, most_tokens=256)
    for said in rounds:
        own, other = (
            [gap for talk, each in zip(shown, said, strict=True) for gap in gaps(reference, talk, each)]
            for shown in (asked, others)
        )
        assert len(own) > 3 * len(asked)
        assert fmean(own) <= MOST_SHARE * fmean(other), (kind, engine, fmean(own), fmean(other))


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
