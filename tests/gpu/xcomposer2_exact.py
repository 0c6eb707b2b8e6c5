"""The LMDeploy plug-in against the plain reference, in bf16 on a GPU: logits, greedy tokens, batches, prefix
cache.

    python3 -m tests.gpu.xcomposer2_exact --tokenizer FOLDER --out DIR [--folder CHECKPOINT]

FOLDER holds XComposer2's tokenizer files. Without --folder a model of 8 layers with random weights is made
(PLoRA as strong as the weights themselves). Two LMDeploy processes run side by side, one with the prefix
cache; about three minutes in all. Ends with 1 when a check fails. Writes DIR/xcomposer2_exact.json. What a
trained model says is xcomposer2_shapes' question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from launcher import models
from launcher.models.xcomposer2 import XComposer2Config, load_model, published_shapes
from tests.models.xcomposer2_reference import Sizes, reference_logits

CHILD_LIMIT_S = 200
NEW_TOKENS = 48
BLOCK_TOKENS = 64
LONG_TEXT = "Look at the picture with care, and say what is in it, how large it is, and where. " * 6
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CONFIG: dict[str, Any] = {
    "architectures": ["InternLMXComposer2ForCausalLM"],
    "model_type": "internlmxcomposer2",
    "vocab_size": 92544,
    "img_size": 224,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "rope_theta": 1000000,
    "rope_scaling": {"type": "dynamic", "factor": 1.0},
    "torch_dtype": "bfloat16",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
    "plora_rank": 64,
    "vit_config": {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "patch_size": 14,
    },
}


def draw(seed: int) -> Image.Image:
    """A picture like no other seed's."""
    picture = Image.new("RGB", (200 + 37 * seed, 160 + 11 * seed), (40 * seed % 256, 200, 255 - 30 * seed))
    ImageDraw.Draw(picture).ellipse(
        (20, 20, 100 + 9 * seed, 120), fill=(255 - 25 * seed, 60 * seed % 256, 90)
    )
    return picture


def conversations() -> dict[str, list[str | Image.Image]]:
    """Prompts of text and pictures: alone, together, in the first and in the second turn.

    The last two are long enough for the prefix cache to hold a whole picture and blocks of text behind it.
    """

    def turn(text: str) -> str:
        return f"[UNUSED_TOKEN_146]user\n{text}[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]assistant\n"

    def parts(text: str, *pictures: int) -> list[str | Image.Image]:
        pieces = turn(text).split("@")
        assert len(pieces) == len(pictures) + 1
        found: list[str | Image.Image] = [pieces[0]]
        for seed, piece in zip(pictures, pieces[1:], strict=True):
            found += [draw(seed), piece]
        return found

    answer = "A red circle on blue.[UNUSED_TOKEN_145]\n"
    first, second = parts("@What is this?", 1), parts("@And this? Compare them.", 2)
    long = parts(f"{LONG_TEXT}@{LONG_TEXT}", 7)
    return {
        "text": parts("Tell me a story about a fox, a crow and a piece of cheese."),
        "picture": parts("@What is in the picture?", 1),
        "same picture, other question": parts("@What is in the picture? Say it in Chinese.", 1),
        "two pictures": parts("@@Which one is brighter?", 1, 3),
        "three pictures apart": parts("@first, @second, @third", 4, 5, 6),
        "picture in the second turn": [turn("Hello!") + answer, *second],
        "pictures in both turns": [*first[:-1], f"{first[-1]}{answer}{second[0]}", *second[1:]],
        "short text": parts("Hi"),
        "long question": long,
        "long question and another turn": [*long[:-1], f"{long[-1]}{answer}{second[0]}", *second[1:]],
    }


def write_random(folder: Path, tokenizer: Path) -> None:
    from safetensors.torch import save_file

    for file in ("tokenizer.model", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(tokenizer / file, folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    generator = torch.Generator(DEVICE).manual_seed(0)
    weights = {}
    for name, shape in published_shapes(XComposer2Config(**CONFIG)).items():
        if len(shape) == 1 and name.endswith("weight"):
            weight = torch.ones(shape)
        else:
            spread = 1.0 if "embedding" in name else shape[-1] ** -0.5
            weight = torch.randn(shape, generator=generator, device=DEVICE).cpu() * spread
        weights[name] = weight.to(torch.bfloat16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


# --- in a process of its own: LMDeploy ---


def lmdeploy_child(folder: Path, out: Path, prefix_cache: bool) -> None:
    os.environ.setdefault("LMDEPLOY_ENABLE_CHECK_ENV", "0")
    from lmdeploy import ChatTemplateConfig, PytorchEngineConfig, pipeline

    from launcher.models import xcomposer2_lmdeploy

    models.register()
    xcomposer2_lmdeploy.register()
    config = PytorchEngineConfig(
        dtype="bfloat16",
        session_len=4096,
        max_batch_size=8,
        max_prefill_token_num=4096,
        num_gpu_blocks=1024,
        block_size=BLOCK_TOKENS,
        enable_prefix_caching=prefix_cache,
    )
    template = ChatTemplateConfig(model_name="base", meta_instruction="")
    pipe = pipeline(str(folder), backend_config=config, chat_template_config=template, log_level="WARNING")
    run = asyncio.run_coroutine_threadsafe(
        ask_all(pipe.async_engine, prefix_cache), pipe.internal_thread.loop
    )
    torch.save(run.result(timeout=CHILD_LIMIT_S), out)
    os._exit(0)  # the GPU is given back with the process


async def ask_all(engine: Any, prefix_cache: bool) -> dict[str, Any]:
    """All answers, then all logits.

    The order matters: what asks for no token leaves a row in the state that LMDeploy's model agent decodes
    from, and its input maker, which does not know of that row, has the next answers go on from it; they end
    after two tokens.
    """
    assert engine.backend_config.enable_prefix_caching is prefix_cache, (
        "LMDeploy switched its prefix cache off"
    )
    found: dict[str, Any] = {"inputs": {}, "logits": {}, "tokens": {}, "cached": {}}
    inputs = {name: await prepare(engine, parts) for name, parts in conversations().items()}
    for name, one in inputs.items():
        pictures = [
            (mm["offset"], mm["image_tokens"], mm["pixel_values"].cpu()) for mm in one.get("multimodal") or ()
        ]
        found["inputs"][name] = (list(one["input_ids"]), pictures)
    for manner in ("alone", "batch"):
        answers = await each(inputs, manner, lambda one: greedy(engine, one))
        found["tokens"][manner] = {name: tokens for name, (tokens, _) in answers.items()}
        found["cached"][manner] = {name: cached_tokens for name, (_, cached_tokens) in answers.items()}
    for manner in () if prefix_cache else ("alone", "batch"):
        found["logits"][manner] = await each(inputs, manner, lambda one: logits(engine, one))
    return found


async def prepare(engine: Any, parts: list[str | Image.Image]) -> dict[str, Any]:
    content = [
        {"type": "text", "text": p}
        if isinstance(p, str)
        else {"type": "image_data", "image_data": {"data": p}}
        for p in parts
    ]
    whole = content if len(content) > 1 else content[0]["text"]
    inputs = await engine.prompt_processor.get_prompt_input(
        [{"role": "user", "content": whole}], do_preprocess=False
    )
    return dict(inputs)


async def each(inputs: dict[str, Any], manner: str, ask: Any) -> dict[str, Any]:
    if manner == "alone":
        return {name: await ask(one) for name, one in inputs.items()}
    return dict(zip(inputs, await asyncio.gather(*map(ask, inputs.values())), strict=True))


async def run(engine: Any, inputs: dict[str, Any], **settings: Any) -> Any:
    """One request straight to LMDeploy's engine; its last output, and all its tokens."""
    import copy

    from lmdeploy import GenerationConfig

    tokens: list[int] = []
    session, last = engine.session_mgr.get(), None
    async with session.request_handle() as handle:
        request = {"input_ids": inputs["input_ids"], "multimodal": copy.deepcopy(inputs.get("multimodal"))}
        config = GenerationConfig(top_k=1, temperature=1.0, ignore_eos=True, **settings)
        async with engine.safe_run(
            handle, session=session, gen_config=config, stream_output=True, **request
        ) as outputs:
            async for out in outputs:
                last, tokens = out, tokens + list(out.token_ids)
    engine.session_mgr.remove(session)
    return last, tokens


async def logits(engine: Any, inputs: dict[str, Any]) -> Tensor:
    last, _ = await run(engine, inputs, max_new_tokens=0, output_logits="all")
    kept: Tensor = last.logits[: len(inputs["input_ids"])].float().cpu()
    return kept


async def greedy(engine: Any, inputs: dict[str, Any]) -> tuple[list[int], int]:
    """The answer's tokens, and how many of the prompt's were in the prefix cache."""
    last, tokens = await run(engine, inputs, max_new_tokens=NEW_TOKENS)
    return list(tokens), int(last.req_metrics.cached_tokens)


# --- here: the reference, and transformers ---


class Judge:
    def __init__(self, folder: Path, inputs: dict[str, Any]) -> None:
        self.inputs = inputs
        self.model = load_model(folder, torch.bfloat16, DEVICE)
        config = self.model.config
        self.config = config
        tower = config.clip_config()
        self.sizes = Sizes(
            config.num_hidden_layers,
            config.num_attention_heads,
            config.num_key_value_heads,
            tower.num_hidden_layers,
            tower.num_attention_heads,
            tower.patch_size,
            rope_theta=config.rope_parameters["rope_theta"],
            rms_eps=config.rms_norm_eps,
            vision_eps=tower.layer_norm_eps,
        )
        self.weights = {name: weight.float() for name, weight in self.model.named_parameters()}
        self.half = dict(self.model.named_parameters())
        self.lines: list[str] = []
        self.failed = False
        self.result: dict[str, Any] = {}

    def parts(self, name: str, answer: list[int]) -> list[list[int] | Tensor]:
        ids, pictures = self.inputs[name]
        found: list[list[int] | Tensor] = []
        at = 0
        for offset, count, pixels in pictures:
            found += [ids[at:offset], pixels[0].to(DEVICE)]
            at = offset + count
        return [*found, ids[at:] + answer]

    def truth(self, name: str, answer: list[int], plora: bool = True) -> Tensor:
        return reference_logits(self.weights, self.sizes, self.parts(name, answer), plora)

    def transformers(self, name: str, answer: list[int]) -> Tensor:
        ids, pictures = self.inputs[name]
        ids = [
            t
            for part in self.parts(name, [])
            for t in (part if isinstance(part, list) else [0] * self.config.picture_tokens)
        ]
        pixels = torch.cat([p for _, _, p in pictures]).to(DEVICE) if pictures else None
        out: Tensor = self.model(torch.tensor([ids + answer], device=DEVICE), pixels).logits[0].float()
        return out

    def generate(self, name: str) -> list[int]:
        ids, pictures = self.inputs[name]
        given = torch.tensor([ids], device=DEVICE)
        pixels = torch.cat([p for _, _, p in pictures]).to(DEVICE) if pictures else None
        out = self.model.generate(
            given,
            pixel_values=pixels,
            attention_mask=torch.ones_like(given),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=2,
        )
        return [int(token) for token in out[0, len(ids) :]]

    def check(self, what: str, good: bool, **figures: Any) -> None:
        self.failed |= not good
        self.result[what] = {"good": good, **figures}
        told = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())
        print("ok  " if good else "FAIL", what, told, flush=True)


def error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.to(DEVICE) - theirs).norm() / theirs.norm())


@torch.inference_mode()
def judge(folder: Path, plain: dict[str, Any], cached: dict[str, Any]) -> Judge:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    made = Judge(folder, plain["inputs"])
    for name in plain["inputs"]:
        truth = made.truth(name, [])
        half = error(reference_logits(made.half, made.sizes, made.parts(name, [])).float(), truth)
        ours = {manner: error(plain["logits"][manner][name], truth) for manner in ("alone", "batch")}
        made.check(
            f"logits, {name}",
            max(ours.values()) < 2 * half + 1e-3,
            **ours,
            transformers=error(made.transformers(name, []), truth),
            reference_in_bf16=half,
            without_plora=error(made.truth(name, [], plora=False), truth),
        )
    for name in plain["inputs"]:
        own = made.generate(name)
        answers = {
            "transformers": own,
            "alone": plain["tokens"]["alone"][name],
            "batch": plain["tokens"]["batch"][name],
            "first, prefix cache": cached["tokens"]["alone"][name],
            "again, prefix cache": cached["tokens"]["batch"][name],
        }
        # a random model has near ties: a token counts when the truth holds it within bf16's error of its best
        gaps = {who: gap(made, name, answer) for who, answer in answers.items()}
        same = {
            who: sum(a == b for a, b in zip(answer, own, strict=False)) for who, answer in answers.items()
        }
        allowed = 3 * max(gaps["transformers"], 0.05)
        whole = all(len(answer) == NEW_TOKENS for answer in answers.values())
        good = whole and max(gaps.values()) < allowed
        made.check(f"greedy, {name}", good, worst_gap=max(gaps.values()), allowed=allowed, same_as_own=same)
    for name, (ids, pictures) in plain["inputs"].items():
        expected, again = (
            reusable(len(ids), [(at, at + count) for at, count, _ in pictures]),
            cached["cached"]["batch"][name],
        )
        none = [plain["cached"][manner][name] for manner in ("alone", "batch")]
        made.check(
            f"prefix cache, {name}", again == expected and not any(none), again=again, expected=expected
        )
    ids, pictures = plain["inputs"]["long question and another turn"]
    first_picture_ends, found = (
        sum(pictures[0][:2]),
        cached["cached"]["alone"]["long question and another turn"],
    )
    made.check(
        "prefix cache, a picture of the turn before", found >= first_picture_ends, cached=found, of=len(ids)
    )
    return made


def reusable(tokens: int, pictures: list[tuple[int, int]]) -> int:
    """How much of a prompt that was asked before LMDeploy takes from its prefix cache: whole blocks, never
    part of a picture."""
    step = (tokens - 1) // BLOCK_TOKENS * BLOCK_TOKENS
    while cut := [start for start, end in pictures if start < step < end]:
        step = min(cut) // BLOCK_TOKENS * BLOCK_TOKENS
    return step


def gap(made: Judge, name: str, answer: list[int]) -> float:
    """How far the truth's logit of a chosen token is below its best, at worst, in standard deviations of the
    logits."""
    told = made.truth(name, answer[:-1])[-len(answer) :]
    chosen = told.gather(1, torch.tensor(answer, device=DEVICE)[:, None])[:, 0]
    return float(((told.amax(dim=1) - chosen) / told.std(dim=1)).max())


def ends(children: list[subprocess.Popen[bytes]]) -> list[int]:
    """Exit codes; a child that takes too long is ended."""
    deadline = time.monotonic() + CHILD_LIMIT_S
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
    return [child.wait() for child in children]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--child", choices=["plain", "cached"])
    args = parser.parse_args()
    models.register()
    if args.child:
        lmdeploy_child(args.folder, args.out, prefix_cache=args.child == "cached")
    with tempfile.TemporaryDirectory() as work:
        folder = args.folder or Path(work)
        if args.folder is None:
            write_random(folder, args.tokenizer)
        files = {role: Path(work) / f"{role}.pt" for role in ("plain", "cached")}
        command = [sys.executable, "-m", "tests.gpu.xcomposer2_exact", "--folder", str(folder)]
        children = [
            subprocess.Popen([*command, "--child", role, "--out", str(file)]) for role, file in files.items()
        ]
        codes = ends(children)
        if any(codes):
            print("FAIL LMDeploy ended with", codes)
            return 1
        made = judge(folder, *(torch.load(file, weights_only=False) for file in files.values()))
    (args.out / "xcomposer2_exact.json").write_text(json.dumps(made.result, indent=1))
    return int(made.failed)


if __name__ == "__main__":
    sys.exit(main())
