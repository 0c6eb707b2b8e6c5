"""shapes-xcomposer2 on LMDeploy with our plug-in: the same greedy answers as transformers, alone and in mixed
batches of eight?

    python3 -m tests.gpu.xcomposer2_shapes --out DIR [--pictures 12]

Held-out Shapes questions, and questions without a picture among them: first one after the other, then eight
at a time, of which two have no picture; every answer is compared with the transformers engine's on the same
GPU, letter for letter, and judged. Then the same questions once more, which the prefix cache now knows. About
two minutes. Writes DIR/xcomposer2_shapes.json; ends with 1 where less than 99 % are the same or less than 97
% of the picture questions are right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher.checkpoints import read_facts
from launcher.engines.base import Engine, EngineSpec
from launcher.engines.table import engine_class, find
from launcher.families import model_sizes
from launcher.memory import GIB, Card, plan_memory
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from tests.gpu.test_known_answers import Case, picture_cases

NAME = "shapes-xcomposer2"
FOLDER = Path(__file__).parents[2] / "launcher" / "demo" / "checkpoints" / NAME
WITHOUT_PICTURE = (
    "Who are you?",
    "What colour is the star?",
    "你好",
    "How many shapes are there?",
    "Tell me a joke.",
    "星形在哪里？",
)
BATCH = 8


async def loaded(name: str) -> Engine:
    preset, facts = read_presets().find(NAME), read_facts(FOLDER)
    card = Card(8 * GIB, 8 * GIB)
    plan = (
        plan_memory(preset.memory, model_sizes(facts.config, facts.loaded_tensor_bytes), "pytorch", card)
        if name == "pytorch"
        else None
    )
    engine = engine_class(find(name).runs)(EngineSpec(name, preset, FOLDER, "cuda:0", plan))
    await engine.prepare()
    await engine.load(lambda _stage, _fraction: None)
    return engine


async def ask(engine: Engine, messages: tuple[Message, ...]) -> str:
    return "".join(
        [c.text async for c in engine.stream(ChatRequest(messages, GenerationOptions(max_new_tokens=64)))]
    )


async def eight_at_a_time(engine: Engine, asked: Sequence[tuple[Message, ...]]) -> list[str]:
    answers: list[str] = []
    for start in range(0, len(asked), BATCH):
        answers += await asyncio.gather(*(ask(engine, messages) for messages in asked[start : start + BATCH]))
    return answers


def mixed(cases: list[Case]) -> list[Case]:
    """Six questions about pictures, two without, and so on."""
    texts: list[Case] = [((Message("user", text),), lambda _answer: True) for text in WITHOUT_PICTURE]
    found: list[Case] = []
    for number, case in enumerate(cases):
        found.append(case)
        if number % 3 == 2:
            found.append(texts[number // 3 % len(texts)])
    return found


async def compare(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    cases = mixed(list(picture_cases(folder, args.pictures, first=9000)))
    asked = [messages for messages, _ in cases]
    began = time.monotonic()
    plug_in = await loaded("pytorch")
    found = {"alone": [await ask(plug_in, messages) for messages in asked]}
    for manner in ("batches of eight", "batches of eight, again"):
        found[manner] = await eight_at_a_time(plug_in, asked)
    print(f"asked the plug-in {len(asked)} questions thrice: {time.monotonic() - began:.0f} s", flush=True)
    reference = await loaded("transformers")
    wanted = await eight_at_a_time(reference, asked)
    about_pictures = [bool(messages[0].pictures) for messages in asked]
    result: dict[str, Any] = {"asked": len(asked), "about pictures": sum(about_pictures)}
    for manner, answers in {"transformers": wanted, **found}.items():
        right = [is_right(text) for (_, is_right), text in zip(cases, answers, strict=True)]
        result[manner] = {
            "same": sum(a == b for a, b in zip(answers, wanted, strict=True)),
            "right": sum(good for good, pictured in zip(right, about_pictures, strict=True) if pictured),
        }
        result[manner]["other"] = [
            (m[0].text, a, b) for m, a, b in zip(asked, answers, wanted, strict=True) if a != b
        ][:5]
    return result


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=12)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(compare(args, Path(folder)))
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text, flush=True)
    (args.out / "xcomposer2_shapes.json").write_text(text)
    ours = [result[manner] for manner in result if isinstance(result[manner], dict)]
    same = all(each["same"] >= 0.99 * result["asked"] for each in ours)
    right = all(each["right"] >= 0.97 * result["about pictures"] for each in ours)
    os._exit(int(not (same and right)))  # LMDeploy's threads do not end by themselves


if __name__ == "__main__":
    sys.exit(main())
