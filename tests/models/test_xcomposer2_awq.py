"""The plug-in for LMDeploy's PyTorch engine with weights in four bits: LMDeploy's own loading and its plain
operator, against the same checkpoint on our classes."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="the plug-in needs LMDeploy (pip install launcher[lmdeploy])")
    from launcher.models import xcomposer2_lmdeploy as plug_in
    from launcher.models.xcomposer2_lmdeploy.pictures import XComposer2InputProcessor
    from tests.models import lmdeploy_on_cpu

from launcher import models
from launcher.demo.known_answers import held_out_scene
from launcher.demo.pictures import render
from launcher.errors import CheckpointError
from launcher.models.xcomposer2 import load_model, picture_pixels
from tests.rounded_checkpoint import write_rounded

SOURCE = Path(models.__file__).parents[1] / "demo/checkpoints/shapes-xcomposer2"
TEXT = [1, 100, 200, 300, 17, 45]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models.register()
    plug_in.register()
    made = tmp_path_factory.mktemp("four") / "bits"
    write_rounded(SOURCE, made)
    return made


class LongCpuEngine(lmdeploy_on_cpu.CpuEngine):
    """One whose cache holds a picture of the built-in model."""

    blocks = 128


def test_prefill_equals_our_classes_with_the_picture_s_part_added(folder: Path) -> None:
    engine = LongCpuEngine(folder)
    ours = load_model(folder, torch.float32, "cpu")
    config = ours.config
    pixels = picture_pixels([render(held_out_scene(1))], config.img_size)
    ids = TEXT + [config.image_token_id] * config.picture_tokens + TEXT
    found = {"pixel_values": pixels, "offset": len(TEXT), "image_tokens": config.picture_tokens}
    shown = XComposer2InputProcessor().preprocess_input(
        ids, [{**found, "image_token_id": config.image_token_id}]
    )
    sequence = engine.open(len(ids))
    engine.add(sequence, shown.input_multimodals["image"])
    (theirs,) = engine.step([(sequence, ids)])
    with torch.inference_mode():
        expected = ours(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
        for module in ours.modules():
            if hasattr(module, "Plora_A"):
                module.scale = 0.0
        without = ours(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
    error = (theirs - expected).norm() / expected.norm()
    assert error < 0.01  # LMDeploy multiplies in float16
    assert (theirs - without).norm() / without.norm() > 20 * error


@pytest.mark.parametrize(
    "name", ["model.layers.2.feed_forward.w1.qzeros", "model.layers.0.attention.wqkv.scales"]
)
def test_a_missing_part_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    held = load_file(folder / "model.safetensors")
    del held[name]
    save_file(held, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=name):
        lmdeploy_on_cpu.CpuEngine(tmp_path)
