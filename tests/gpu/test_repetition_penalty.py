"""What the repetition penalty counts on each engine: the answer's own tokens, or the prompt's too.

    python -m pytest tests/gpu/test_repetition_penalty.py -m gpu -s

A plain loop on the CPU answers each question twice, greedily: once with the penalty on the answer's own
tokens, once on the prompt's as well. Where the two differ, an engine's answer says which it counts. All
count the answer's own, as the preset's key says; but TurboMind (LMDeploy 0.18) penalises inside its own
kernel, over the whole sequence, and takes no other instruction: there the test holds what the key's
description says of it. Answers that are neither are near ties that 16 bits decide otherwise; few may be.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
import torch
from transformers import AutoTokenizer

from launcher.checkpoints.locating import BUILTIN
from launcher.devices import read_devices
from launcher.families import TEMPLATES, build_prompt
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.models import internlm2, register
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models
from tests.gpu.test_known_answers import GPU

MODEL = "tiny-chat"
OPTIONS = GenerationOptions(max_new_tokens=16, repetition_penalty=2.0)
NAMES = ("郭天华", "李娜", "张伟", "刘洋", "陈静", "赵敏", "孙丽", "吴强", "郑爽", "冯刚", "朱丹", "何洁")
"""Who says one hears it again: an answer that has to use the prompt's tokens. Of English names' pieces the
model is too sure."""
LEAST_TELLING, LEAST_CLEAR = 6, 0.8

Telling = tuple[ChatRequest, str, str]
"""A request, the answer by the answer's own tokens, and the one by the prompt's too."""


@cache
def telling() -> tuple[Telling, ...]:
    """The sentences whose two answers differ."""
    register()
    tokenizer = AutoTokenizer.from_pretrained(BUILTIN / MODEL, trust_remote_code=False)
    model = internlm2.load_model(BUILTIN / MODEL, torch.float32, "cpu")
    ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")}

    def plain(prompt_ids: list[int], counted: list[int]) -> str:
        said: list[int] = []
        while len(said) < OPTIONS.max_new_tokens:
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([prompt_ids + said]), use_cache=False).logits[0, -1]
            used, penalty = (
                torch.tensor(sorted({*counted, *said}), dtype=torch.long),
                OPTIONS.repetition_penalty,
            )
            logits[used] = torch.where(logits[used] > 0, logits[used] / penalty, logits[used] * penalty)
            token = int(logits.argmax())
            if token in ends:
                break
            said.append(token)
        return str(tokenizer.decode(said, skip_special_tokens=True))

    found = []
    for name in NAMES:
        messages = (Message("user", f"我是{name}。"),)
        ids = tokenizer.encode(build_prompt(messages, TEMPLATES["internlm2"]))
        own, with_prompt = plain(ids, []), plain(ids, ids)
        if own.strip() and own != with_prompt:
            found.append((ChatRequest(messages, OPTIONS), own, with_prompt))
    return tuple(found)


@pytest.mark.parametrize(
    ("engine", "counted"),
    [
        ("transformers", "own"),
        pytest.param("pytorch", "own", marks=GPU),
        pytest.param("turbomind", "with the prompt's", marks=GPU),
    ],
)
def test_what_the_penalty_counts(engine: str, counted: str) -> None:
    preset = read_presets().find(MODEL).model_copy(update={"engine": engine})
    counts: Counter[str] = Counter()
    with Manager(runnable_models([assess(preset, read_devices(), installed_engines())])) as manager:
        for request, own, with_prompt in telling():
            answer = "".join(chunk.text for chunk in manager.ask(MODEL, request))
            counts[{own: "own", with_prompt: "with the prompt's"}.get(answer, "neither")] += 1
    print(f"\n{engine}: {dict(counts)} of {len(telling())}")
    assert len(telling()) >= LEAST_TELLING
    assert counts[counted] >= LEAST_CLEAR * len(telling()), dict(counts)
