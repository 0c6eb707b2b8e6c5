"""LMDeploy's PyTorch engine on the CPU beside transformers' model of the same tiny checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from launcher.messages import Message
from tests.models.noisy_pictures import noisy_pictures

if TYPE_CHECKING:  # it imports LMDeploy, which is not installed everywhere
    from tests.models.lmdeploy_on_cpu import Answer, CpuEngine, ScheduledCpuEngine

PROMPTS = ([*range(5, 25)], [*range(40, 47)])
NEW_TOKENS = 6
"""Of an answer, at the most."""


def in_32_bits(folder: Path, *parts: str) -> Path:
    """Its config says so, and these parts of it: of 16 bits LMDeploy asks a GPU whether it has them."""
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for each in (config, *(config[part] for part in parts)):
        each.update(dtype="float32", torch_dtype="float32")
    file.write_text(json.dumps(config), encoding="utf-8")
    return folder


def assert_same_logits(engine: CpuEngine, model: Any) -> None:
    """Of two prompts in one batch, and of each token that comes next."""
    sequences = [engine.open(64) for _ in PROMPTS]
    found = engine.step(list(zip(sequences, PROMPTS, strict=True)))
    nexts = [int(logits[-1].argmax()) for logits in found]
    more = engine.step([(s, [token]) for s, token in zip(sequences, nexts, strict=True)], decoding=True)
    for ids, token, read, said in zip(PROMPTS, nexts, found, more, strict=True):
        with torch.no_grad():
            expected = model(torch.tensor([[*ids, token]])).logits[0]
        torch.testing.assert_close(torch.cat([read, said]), expected, rtol=1e-4, atol=1e-4)


def assert_same_answers(
    engine: ScheduledCpuEngine, reference: Any, folder: Path, given: Callable[..., Any]
) -> Answer:
    """Of a batch with two pictures, one picture and none; then of a second turn, which goes on from the cache
    and is returned.

    Args:
        engine: LMDeploy's.
        reference: transformers' ``model``, and the ``inputs`` that it makes of a talk.
        folder: where pictures may be put.
        given: engine, inputs, a picture token's id -> what LMDeploy's front half makes of them.
    """
    pictures, place = noisy_pictures(folder), reference.model.config.image_token_id
    first = [Message("user", "Which is larger?", (pictures["wide"], pictures["small"]))]
    talks = [first, [Message("user", "And this?", (pictures["tall"],))], [Message("user", "你好世界")]]
    second = [[*first, Message("assistant", "The first."), Message("user", "Why?", (pictures["small"],))]]
    for batch in (talks, second):
        inputs = [reference.inputs(talk) for talk in batch]
        found = engine.ask(*(given(engine, each, place) for each in inputs), new_tokens=NEW_TOKENS)
        for answer, each in zip(found, inputs, strict=True):
            _assert_same_answer(answer, reference.model, each)
    return found[0]


def _assert_same_answer(answer: Answer, model: Any, inputs: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        expected = model(**inputs).logits[0]
        made = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
    read = torch.cat(answer.logits)
    scale = float(expected.abs().max())
    torch.testing.assert_close(read, expected[-len(read) :], rtol=1e-3, atol=5e-4 * scale)
    said = made[0, inputs["input_ids"].shape[1] :].tolist()
    assert said
    assert answer.tokens[: len(said)] == said
