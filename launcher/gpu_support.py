"""Whether a GPU and its driver can run a model's engine at all: pure rules over the device's facts, asked
before loading.

How much fits is ``launcher.memory``'s question; finding the facts is ``launcher.devices``'.
"""

from __future__ import annotations

from typing import Literal

from launcher.errors import DeviceError

MIN_COMPUTE_CAPABILITY = (7, 0)
"""Volta; the oldest architecture that LMDeploy 0.18's wheels and the CUDA builds of PyTorch carry code
for."""

BF16_COMPUTE_CAPABILITY = (8, 0)
"""Ampere; older tensor cores know fp16 only."""

MIN_CUDA_DRIVER = (12, 8)
"""The CUDA version that the driver must speak for the locked CUDA build of PyTorch."""

MIN_DRIVER = 570
"""The first series of NVIDIA's Linux drivers that speaks it."""


def check_gpu(name: str, compute_capability: tuple[int, int], cuda_driver: tuple[int, int]) -> None:
    """Raises DeviceError if the GPU is too old for the engines, or its driver for the CUDA build.

    Args:
        name: the GPU's product name.
        compute_capability: e.g. (8, 6).
        cuda_driver: the newest CUDA version that the driver supports, as ``nvidia-smi`` shows it, e.g. (12,
            4).
    """
    if compute_capability < MIN_COMPUTE_CAPABILITY:
        raise DeviceError(
            "{gpu} has compute capability {found}; LMDeploy needs {needed} or newer.",
            hint="Set engine: transformers in the preset to run on the CPU, or take a newer GPU (2017 or"
            " later).",
            gpu=name,
            found=_dotted(compute_capability),
            needed=_dotted(MIN_COMPUTE_CAPABILITY),
        )
    if cuda_driver < MIN_CUDA_DRIVER:
        raise DeviceError(
            "The NVIDIA driver speaks CUDA {found}; the installed PyTorch needs {needed}.",
            hint="Update the NVIDIA driver to {driver} or newer, then start again.",
            found=_dotted(cuda_driver),
            needed=_dotted(MIN_CUDA_DRIVER),
            driver=MIN_DRIVER,
        )


def compute_dtype(
    compute_capability: tuple[int, int], checkpoint_dtype: str, wanted: str = "auto"
) -> Literal["bfloat16", "float16"]:
    """What the weights are computed in: what a preset's ``dtype`` says, else the checkpoint's own, but
    float16 for bfloat16 on a card that has none.

    Raises:
        DeviceError: the preset says bfloat16, and the card has none.
    """
    has_bfloat16 = compute_capability >= BF16_COMPUTE_CAPABILITY
    if wanted == "bfloat16" and not has_bfloat16:
        raise DeviceError(
            "dtype is bfloat16, and a card of compute capability {found} computes in float16 alone.",
            hint="Set dtype: auto in the preset.",
            found=_dotted(compute_capability),
        )
    if wanted == "float16" or not has_bfloat16:
        return "float16"
    return "bfloat16" if "bfloat16" in (wanted, checkpoint_dtype) else "float16"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
