"""AWQ's layout, against a reading of it written here alone and against LMDeploy's own packing; checkpoints in
four bits on our classes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from launcher.errors import CheckpointError
from launcher.models import awq

OF_COLUMN = (0, 2, 4, 6, 1, 3, 5, 7)
"""The known order: nibble i of a number is this column of its eight."""


def weight_of(packs: dict[str, torch.Tensor]) -> np.ndarray:
    """float64 [out, in], one number at a time."""
    qweight, qzeros = (packs[name].numpy().view(np.uint32) for name in ("qweight", "qzeros"))
    scales = packs["scales"].numpy().astype(np.float64)
    inputs, outputs = qweight.shape[0], scales.shape[1]
    group = inputs // scales.shape[0]
    found = np.empty((outputs, inputs))
    for number in range(outputs // 8):
        for nibble, column in enumerate(OF_COLUMN):
            out = 8 * number + column
            codes = (qweight[:, number] >> (4 * nibble)) & 15
            zeros = (qzeros[:, number] >> (4 * nibble)) & 15
            found[out] = (codes.astype(int) - np.repeat(zeros, group).astype(int)) * np.repeat(
                scales[:, out], group
            )
    return found


@pytest.fixture
def weight() -> torch.Tensor:
    return torch.randn(48, 384, generator=torch.Generator().manual_seed(1)) * 0.1


def test_the_layout_is_awq_s(weight: torch.Tensor) -> None:
    codes = awq.to_codes(weight)
    packs = awq.packed(codes)
    assert {name: (each.dtype, tuple(each.shape)) for name, each in packs.items()} == {
        "qweight": (torch.int32, (384, 6)),
        "qzeros": (torch.int32, (3, 6)),
        "scales": (torch.float16, (3, 48)),
    }
    assert {name: each.shape for name, each in packs.items()} == awq.packed_shapes(weight.shape)
    assert np.allclose(weight_of(packs), codes.weight().double(), atol=1e-7)
    assert torch.equal(awq.unpacked(**packs).weight(), codes.weight())


def test_rounding_moves_no_weight_by_more_than_half_a_step(weight: torch.Tensor) -> None:
    weight[0, :128] = 0  # a group of nothing, and one without a negative number
    weight[1, :128] = weight[1, :128].abs() + 1
    codes = awq.to_codes(weight)
    steps = codes.scales.float().repeat_interleave(128, dim=1)
    # the zero point is rounded too: at the range's ends that costs up to another half
    assert ((codes.weight() - weight).abs() <= steps * 1.01).all()
    assert ((codes.weight() - weight).abs() <= steps * 0.51).float().mean() > 0.95
    assert (codes.weight()[0, :128] == 0).all()


def test_lmdeploy_packs_the_same(weight: torch.Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
        linear = pytest.importorskip("lmdeploy.lite.quantization.modules.linear")
        from lmdeploy.lite.quantization import WeightQuantizer
        from lmdeploy.lite.utils import QParams
    codes = awq.to_codes(weight)
    layer = torch.nn.Linear(384, 48, bias=False)
    layer.weight.data = codes.codes.float()
    params = QParams(codes.scales.unsqueeze(-1), codes.zeros.unsqueeze(-1))
    theirs = linear.WeightOnlyQLinear.from_linear(
        layer, WeightQuantizer(4, False, "per_group", 128), qparams=params
    )
    for name, ours in awq.packed(codes).items():
        assert torch.equal(getattr(theirs, name), ours), name


@pytest.fixture
def folder(tmp_path: Path, weight: torch.Tensor) -> Path:
    packs = {f"a.{name}": each for name, each in awq.packed(awq.to_codes(weight)).items()}
    save_file({**packs, "b.weight": torch.ones(2)}, tmp_path / "model.safetensors")
    return tmp_path


def test_a_checkpoint_is_read_as_if_it_had_16_bits(folder: Path, weight: torch.Tensor) -> None:
    tensors = awq.UnpackedTensors(folder)
    assert tensors.names() == {"a.weight", "b.weight"}
    assert torch.equal(tensors.read("a.weight"), awq.to_codes(weight).weight())
    assert torch.equal(tensors.read("b.weight"), torch.ones(2))


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("a.scales", torch.ones(3, 40).half()),
        ("a.qzeros", torch.ones(2, 6, dtype=torch.int32)),
        ("a.qweight", torch.ones(384, 6)),
        ("a.qweight", torch.ones(385, 6, dtype=torch.int32)),
    ],
)
def test_tensors_that_do_not_fit_together_are_named(folder: Path, name: str, tensor: torch.Tensor) -> None:
    changed = {**load_file(folder / "model.safetensors"), name: tensor}
    save_file(changed, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="four-bit tensors of a do not fit together"):
        awq.UnpackedTensors(folder).read("a.weight")


def test_a_missing_part_is_named(folder: Path) -> None:
    held = load_file(folder / "model.safetensors")
    del held["a.qzeros"]
    save_file(held, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks 1 .*a\.qzeros"):
        awq.UnpackedTensors(folder).read("a.weight")
