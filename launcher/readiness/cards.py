"""The cards that a preset may run on."""

from __future__ import annotations

from launcher.devices import Devices, Gpu, named
from launcher.errors import DeviceError
from launcher.presets import Preset


def gpus_for(preset: Preset, devices: Devices) -> list[Gpu]:
    """The cards that the preset may run on, the one with most room first.

    Raises:
        DeviceError: it names a card that there is none of.
    """
    if preset.gpu == "auto":
        return sorted(devices.gpus, key=lambda gpu: -gpu.free_bytes)
    gpu = named(devices.gpus, str(preset.gpu))
    if gpu is not None:
        return [gpu]
    if not devices.gpus:
        raise DeviceError(
            "{name} is for GPU {wanted}, and this machine has no NVIDIA GPU that can be used",
            "Leave `gpu` out of the preset to run it wherever it can. nvidia-smi lists GPUs.",
            name=preset.name,
            wanted=preset.gpu,
        )
    raise DeviceError(
        "{name} is for GPU {wanted}, and there is none such, or CUDA_VISIBLE_DEVICES hides it",
        "Write one of these for `gpu` in the preset: {gpus}; or leave it out for any of them.",
        name=preset.name,
        wanted=preset.gpu,
        gpus=", ".join(f"{one.number} ({one.name}, {one.uuid})" for one in devices.gpus),
    )
