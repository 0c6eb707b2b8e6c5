"""Qwen's picture models in LMDeploy's PyTorch engine: its own model code, input processor, scheduler and
prefix cache on the CPU against transformers' on the same tiny checkpoints."""

from __future__ import annotations

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

from launcher.checkpoints import read_facts
from tests.models.cpu_comparisons import assert_same_answers, in_32_bits
from tests.models.qwen_vl_reference import Reference
from tests.models.tiny_qwen_vl import ARCHITECTURES, write_qwen_vl

NEED_A_GPU = {"qwen3_5"}
"""LMDeploy has no plain version of linear layers: tests/gpu/test_qwen_vl.py goes through these."""


@pytest.fixture(scope="module", params=sorted(set(ARCHITECTURES) - NEED_A_GPU))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_qwen_vl(tmp_path_factory.mktemp("qwen"), request.param)
    return in_32_bits(folder, *({"text_config"} & read_facts(folder).config.keys()))


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
    reference = Reference(folder)
    _with_lmdeploy_s_gelu(reference.model)
    second_turn = assert_same_answers(Engine(folder), reference, tmp_path, given)
    assert second_turn.cached_tokens > 64


def _with_lmdeploy_s_gelu(model: Any) -> None:
    """Qwen2-VL's tower was trained with "quick GELU"; both engines of LMDeploy 0.18 compute GELU itself in
    its place, which differs by some thousandths (``launcher.families.qwen2_vl`` says so)."""
    for block in model.model.visual.blocks:
        if isinstance(getattr(block.mlp, "act", None), QuickGELUActivation):
            block.mlp.act = torch.nn.GELU()
