"""Qwen's picture models in LMDeploy's PyTorch engine: its own model code, input processor, scheduler and
prefix cache on the CPU against transformers' on the same tiny checkpoints."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.activations import QuickGELUActivation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="LMDeploy is not installed")
    import lmdeploy.pytorch.nn  # noqa: F401 - while its CUDA backend can still be imported
    from lmdeploy.vl.constants import Modality

    from tests.models.lmdeploy_on_cpu import ScheduledCpuEngine

from launcher.messages import Message
from tests.models.qwen_vl_reference import Reference, noisy_pictures
from tests.models.tiny_qwen_vl import ARCHITECTURES, write_qwen_vl

NEW_TOKENS = 6
NEED_A_GPU = {"qwen3_5"}
"""LMDeploy has no plain version of linear layers: tests/gpu/test_qwen_vl.py goes through these."""


@pytest.fixture(scope="module", params=sorted(set(ARCHITECTURES) - NEED_A_GPU))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In 32 bits: of 16 LMDeploy asks a GPU whether it has them."""
    folder = write_qwen_vl(tmp_path_factory.mktemp("qwen"), request.param)
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for part in (config, config.get("text_config", {})):
        part.update(dtype="float32", torch_dtype="float32")
    file.write_text(json.dumps(config), encoding="utf-8")
    return folder


class Engine(ScheduledCpuEngine):
    blocks = 256

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_newer = self.model_config.hf_config.model_type == "qwen3_vl"
        self.modality = "mm_data" if self.is_newer else "image"


def given(engine: Engine, inputs: dict[str, Tensor], place: int) -> tuple[list[int], list[Any]]:
    """A conversation as LMDeploy's front half hands it over, by its newer or its older preprocessing."""
    ids = inputs["input_ids"][0].tolist()
    if "pixel_values" not in inputs:
        return ids, []
    grids = inputs["image_grid_thw"]
    counts = [int(grid.prod()) for grid in grids]
    starts = [at for at, one in enumerate(ids) if one == place and ids[at - 1] != place]
    shown = [
        {
            "modality": Modality.IMAGE,
            "pixel_values": pixels,
            "image_grid_thw": grid if engine.is_newer else grid[None],
            "image_tokens": count // 4,
            "offset": (start, start + count // 4) if engine.is_newer else start,
            "image_token_id": place,
        }
        for pixels, grid, count, start in zip(
            inputs["pixel_values"].split(counts), grids, counts, starts, strict=True
        )
    ]
    found = engine.model.get_input_processor().preprocess_input(ids, shown)
    return ids, found.input_multimodals[engine.modality]


def test_answers_and_logits_are_transformers_own(folder: Path, tmp_path: Path) -> None:
    """Of a batch with two pictures, one picture and none; then of a second turn, which goes on from the
    cache."""
    reference, pictures, engine = Reference(folder), noisy_pictures(tmp_path), Engine(folder)
    _with_lmdeploy_s_gelu(reference.model)
    place = reference.model.config.image_token_id
    first = [Message("user", "Which is larger?", (pictures["wide"], pictures["small"]))]
    talks = [first, [Message("user", "And this?", (pictures["tall"],))], [Message("user", "你好世界")]]
    second = [[*first, Message("assistant", "The first."), Message("user", "Why?", (pictures["small"],))]]
    for batch in (talks, second):
        inputs = [reference.inputs(talk) for talk in batch]
        found = engine.ask(*(given(engine, each, place) for each in inputs), new_tokens=NEW_TOKENS)
        for answer, each in zip(found, inputs, strict=True):
            with torch.no_grad():
                expected = reference.model(**each).logits[0]
                made = reference.model.generate(**each, max_new_tokens=NEW_TOKENS, do_sample=False)
            read = torch.cat(answer.logits)
            scale = float(expected.abs().max())
            torch.testing.assert_close(read, expected[-len(read) :], rtol=1e-3, atol=5e-4 * scale)
            assert answer.tokens == made[0, -NEW_TOKENS:].tolist()
    assert found[0].cached_tokens > 64


def _with_lmdeploy_s_gelu(model: Any) -> None:
    """Qwen2-VL's tower was trained with "quick GELU"; both engines of LMDeploy 0.18 compute GELU itself in
    its place, which differs by some thousandths (``launcher.families.qwen2_vl`` says so)."""
    for block in model.model.visual.blocks:
        if isinstance(getattr(block.mlp, "act", None), QuickGELUActivation):
            block.mlp.act = torch.nn.GELU()
