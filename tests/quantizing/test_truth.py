"""The built-in picture models in four bits, made as the command makes them, give the known answers on
transformers; without partial LoRA XComposer2's are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from launcher.checkpoints import Located, locate, read_facts
from launcher.demo.judging import judge
from launcher.demo.known_answers import held_out_cases
from launcher.demo.pictures import encode
from launcher.engines.transformers import TransformersEngine
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.quantizing.comparing import Comparison
from launcher.quantizing.material import Wish, gather
from launcher.quantizing.run import Order, quantize
from tests.engines.on_transformers import loaded

MOST_LOST = 0.01
PICTURES = 5


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """So small a model is slower on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name: str, folder: Path) -> tuple[Path, Path, Comparison]:
    """The checkpoint in 16 bits and in four, and how they compare."""
    preset = read_presets().find(name)
    found = locate(preset)
    assert isinstance(found, Located)
    scratch = folder / "scratch"
    scratch.mkdir()
    material = gather(Wish(16, pictures=True, built_in=True), scratch)
    order = Order(preset, read_facts(found.folder), folder / "made", material)
    return found.folder, order.target, quantize(order, lambda _what, _done, _of: None)


async def share_right(engine: TransformersEngine, folder: Path) -> float:
    right = []
    for case in held_out_cases(PICTURES, first=5000):
        file = folder / f"scene-{case.scene.seed}"
        file.write_bytes(encode(case.scene))
        message = Message("user", case.question.text, (file,))
        request = ChatRequest((message,), GenerationOptions(max_new_tokens=64))
        text = "".join([chunk.text async for chunk in engine.stream(request)])
        right.append(judge(case.question, text))
    return sum(right) / len(right)


@pytest.mark.parametrize("name", ["shapes-internvl2", "shapes-xcomposer2"])
async def test_the_known_answers_are_as_right_as_in_16_bits(name: str, tmp_path: Path) -> None:
    full, small, compared = make(name, tmp_path)
    assert compared.same_first == len(compared.original.first_tokens)
    assert compared.growth < 1.01
    before = await share_right(await loaded(full, "vision"), tmp_path)
    assert await share_right(await loaded(small, "vision"), tmp_path) >= before - MOST_LOST
    if name == "shapes-xcomposer2":
        engine = await loaded(small, "vision")  # another, which has read nothing yet
        assert engine._ready is not None
        for module in engine._ready.loaded.model.modules():
            if hasattr(module, "Plora_A"):
                module.scale = 0.0
        assert await share_right(engine, tmp_path) < before - 0.3
