"""Which GPUs, drivers and engines go together."""

from __future__ import annotations

import pytest

from launcher.errors import DeviceError
from launcher.gpu_support import check_gpu, compute_dtype


def test_an_old_gpu_is_found_before_loading() -> None:
    with pytest.raises(DeviceError, match=r"GTX 1080 has compute capability 6\.1"):
        check_gpu("GTX 1080", (6, 1), (13, 0))


def test_an_old_driver_is_found_before_loading() -> None:
    with pytest.raises(DeviceError, match=r"speaks CUDA 12\.2") as caught:
        check_gpu("RTX 3070", (8, 6), (12, 2))
    assert "570" in caught.value.hint


def test_a_good_one_passes() -> None:
    check_gpu("RTX 3070", (8, 6), (13, 0))


@pytest.mark.parametrize(
    ("capability", "checkpoint", "computed"),
    [
        ((8, 6), "bfloat16", "bfloat16"),
        ((7, 5), "bfloat16", "float16"),
        ((9, 0), "float16", "float16"),
        ((8, 0), "float32", "float16"),
    ],
)
def test_bfloat16_only_where_the_card_has_it(
    capability: tuple[int, int], checkpoint: str, computed: str
) -> None:
    assert compute_dtype(capability, checkpoint) == computed


@pytest.mark.parametrize(
    ("capability", "checkpoint", "wanted", "computed"),
    [
        ((8, 6), "bfloat16", "float16", "float16"),
        ((8, 6), "float16", "bfloat16", "bfloat16"),
        ((7, 5), "bfloat16", "float16", "float16"),
    ],
)
def test_a_preset_s_dtype_goes_before_the_checkpoint_s(
    capability: tuple[int, int], checkpoint: str, wanted: str, computed: str
) -> None:
    assert compute_dtype(capability, checkpoint, wanted) == computed


def test_bfloat16_is_not_promised_where_the_card_has_none() -> None:
    with pytest.raises(
        DeviceError, match=r"dtype is bfloat16, and a card of compute capability 7\.5 .*\n.*auto"
    ):
        compute_dtype((7, 5), "bfloat16", "bfloat16")
