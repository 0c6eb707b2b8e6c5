"""The models of the generic way, and InternVL with a Qwen inside, in LMDeploy's PyTorch engine: its own model
code on the CPU against transformers' on the same tiny checkpoints."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="LMDeploy is not installed")
    import lmdeploy.pytorch.nn  # noqa: F401 - while its CUDA backend can still be imported
    from lmdeploy.pytorch.models.internvl import InternVLInputProcessor

    from tests.models.lmdeploy_on_cpu import CpuEngine

from launcher import models
from launcher.models import internvl2
from tests.models.cpu_comparisons import assert_same_logits, in_32_bits
from tests.models.tiny_generic import ARCHITECTURES, LANGUAGES, write_generic, write_internvl_qwen


@pytest.fixture(autouse=True)
def _registered() -> None:
    models.register()


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_text_models_have_transformers_logits(architecture: str, tmp_path: Path) -> None:
    folder = in_32_bits(write_generic(tmp_path / "model", architecture))
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert_same_logits(CpuEngine(folder), reference)


@pytest.mark.parametrize("kind", sorted(LANGUAGES))
def test_so_has_internvl_with_a_qwen_inside_and_pictures(kind: str, tmp_path: Path) -> None:
    folder = in_32_bits(write_internvl_qwen(tmp_path / "model", kind, torch_dtype="float32"))
    pixels = torch.randn(3, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    engine = CpuEngine(folder)
    place = engine.model_config.vocab_size - 7
    ids = [5, 6, *[place] * 8, 7, *[place] * 4, 8, 9]
    shown = [(pixels[:2], 2), (pixels[2:], 11)]
    found = InternVLInputProcessor(engine.model_config.hf_config, torch.float32).preprocess_input(
        ids,
        [
            {"pixel_values": tiles, "offset": at, "image_tokens": 4 * len(tiles), "image_token_id": place}
            for tiles, at in shown
        ],
    )
    sequence = engine.open(64)
    engine.add(sequence, found.input_multimodals["image"])
    (logits,) = engine.step([(sequence, ids)])
    torch.testing.assert_close(logits, transformers_logits(folder, ids, place, pixels), rtol=1e-3, atol=1e-3)


def transformers_logits(folder: Path, ids: list[int], place: int, pixels: Tensor) -> Tensor:
    model = internvl2.load_model(folder, torch.float32, "cpu")
    model.config.image_token_id = place
    with torch.no_grad():
        logits: Tensor = model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
    return logits
