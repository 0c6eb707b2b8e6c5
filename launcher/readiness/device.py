"""What device a model runs on whose checkpoint is here, and what it takes of that."""

from __future__ import annotations

from pathlib import Path

from launcher.checkpoints import CheckpointFacts
from launcher.devices import Devices, Gpu
from launcher.engine_costs import KEPT_CONVERSATION_BYTES, KEPT_PICTURE_BYTES
from launcher.engines import table
from launcher.engines.declaration import Declaration
from launcher.errors import DeviceError
from launcher.families import Family, ModelSizes
from launcher.gpu_support import check_gpu, compute_dtype
from launcher.memory import Card
from launcher.presets import Preset
from launcher.readiness.installed import InstalledEngines, check_installed, installed_first
from launcher.readiness.planning import plan_here
from launcher.readiness.standing import FIRST_GPU, SLOW, Readiness, ReadyState
from launcher.readiness.whole import check_processor

_CPU_FACTOR = 2
"""On the CPU 16-bit weights are held in 32 bits."""
_SPARE_BYTES = 2**30 + KEPT_CONVERSATION_BYTES + KEPT_PICTURE_BYTES
"""Beside the weights: for the process, the tiles, the KV cache, and what is kept of earlier questions."""
_SLOW_BYTES = 200 * 2**20
_GIB = 2**30


def on_gpu(
    preset: Preset,
    folder: Path,
    facts: CheckpointFacts,
    installed: InstalledEngines,
    *,
    family: Family,
    sizes: ModelSizes,
    gpu: Gpu,
) -> Readiness:
    """On a card with one of LMDeploy's engines, by a plan of its memory.

    Raises:
        DeviceError: no engine serves it, or the card or its driver is too old.
        CheckpointError: it lacks a file that these engines need.
        MissingPart: packages that the engine needs are not here.
        MemoryPlanError: it does not fit.
    """
    engine = installed_first(family, installed).engine(preset.engine_name, sizes)
    check_processor(folder, facts, family)
    check_installed(preset, table.find(engine), family, installed)
    check_gpu(gpu.name, gpu.compute_capability, gpu.cuda_driver)
    dtype = compute_dtype(gpu.compute_capability, facts.dtype, preset.dtype)
    card = Card(gpu.total_bytes, gpu.free_bytes)
    plan = plan_here(preset, family, sizes, card=card, dtype=dtype, installed=installed)
    return Readiness(preset, ReadyState.READY, engine=engine, device=FIRST_GPU, folder=folder, plan=plan)


def unplanned(
    preset: Preset, engine: Declaration, folder: Path, facts: CheckpointFacts, devices: Devices
) -> Readiness:
    """Without a plan: on a GPU where there is room for it and for what it will keep, else on the CPU.

    Raises:
        DeviceError: neither has room for it, or the card has not the dtype that the preset wants.
    """
    weight_bytes = facts.unpacked_bytes or 0
    large = weight_bytes > _SLOW_BYTES
    if "cuda" in engine.devices and devices.gpus:
        (gpu,) = devices.gpus
        needed_bytes = weight_bytes + _SPARE_BYTES
        if needed_bytes < gpu.free_bytes:
            compute_dtype(gpu.compute_capability, facts.dtype, preset.dtype)  # or the card has none
            return Readiness(
                preset,
                ReadyState.READY,
                engine=engine.name,
                device=FIRST_GPU,
                folder=folder,
                size_bytes=needed_bytes if large else None,
            )
    needed_bytes = weight_bytes * _CPU_FACTOR + _SPARE_BYTES
    if large:
        _check_ram(preset, needed_bytes, devices)
    return Readiness(
        preset,
        ReadyState.READY,
        engine=engine.name,
        device="cpu",
        folder=folder,
        note=SLOW if large else "",
        size_bytes=needed_bytes if large else None,
    )


def _check_ram(preset: Preset, needed_bytes: int, devices: Devices) -> None:
    if needed_bytes > devices.ram_free_bytes:
        raise DeviceError(
            "{name} needs about {needed:.1f} GiB of memory on the CPU; {free:.1f} of {total:.1f} GiB are"
            " free",
            "Close other programs, or start the launcher on a machine with a GPU.",
            name=preset.name,
            needed=needed_bytes / _GIB,
            free=devices.ram_free_bytes / _GIB,
            total=devices.ram_total_bytes / _GIB,
        )
