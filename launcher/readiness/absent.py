"""What is said of a preset whose checkpoint is not on this machine, or lies here broken, and what to type to
have it."""

from __future__ import annotations

from launcher.checkpoints import Absent, Located, download_commands
from launcher.devices import Devices
from launcher.errors import CheckpointError, DeviceError
from launcher.presets import Preset
from launcher.readiness.standing import Readiness, ReadyState, refused


def absent(preset: Preset, found: Absent, devices: Devices, *, needs_gpu: bool) -> Readiness:
    """Where a preset stands whose checkpoint is not here; ``needs_gpu``: its engine runs on none but GPUs."""
    command = found.commands[0] if found.commands else ""
    if needs_gpu and not devices.gpus:
        return refused(preset, ReadyState.NEEDS_GPU, _gpu_and_download(preset, command), command)
    return refused(
        preset, ReadyState.NEEDS_DOWNLOAD, not_here(preset, found, is_slow=not devices.gpus), command
    )


def not_here(preset: Preset, found: Absent, *, is_slow: bool = False) -> CheckpointError:
    """That its checkpoint is not on this machine, and what to type to have it; ``is_slow`` where it is worth
    saying before that there is no GPU for it."""
    name, places = preset.name, found.said
    command = found.commands[0] if found.commands else ""
    if not command:
        return CheckpointError(
            "{name} is not on this machine. Looked for it at {places}",
            "Put it there." if found.can_be_put else "Correct the preset's sources.",
            name=name,
            places=places,
        )
    if found.is_made:
        return CheckpointError(
            "{name} is not on this machine. Looked for it at {places}",
            "To make it of the model in 16 bits, type: {command}",
            name=name,
            places=places,
            command=command,
        )
    if not is_slow:
        return CheckpointError(
            "{name} is not on this machine. Looked for it at {places}",
            "To download it, type: {command}",
            name=name,
            places=places,
            command=command,
        )
    return CheckpointError(
        "{name} is not on this machine, and without an NVIDIA GPU it will be slow. Looked for it at {places}",
        "To download it, type: {command}",
        name=name,
        places=places,
        command=command,
    )


def _gpu_and_download(preset: Preset, command: str) -> DeviceError:
    if not command:
        return only_on_gpu(preset)
    return DeviceError(
        "{name} needs an NVIDIA GPU, and this machine has none; the model is not here either",
        "On a machine with a GPU, type: {command}",
        name=preset.name,
        command=command,
    )


def only_on_gpu(preset: Preset) -> DeviceError:
    """It runs on none but GPUs, and there is none."""
    return DeviceError(
        "{name} needs an NVIDIA GPU, and this machine has none",
        "Start the launcher on a machine with a GPU; nvidia-smi lists it there.",
        name=preset.name,
    )


def repair(preset: Preset, found: Located) -> str:
    """What fetches a broken checkpoint anew, to where it lies."""
    in_cache = found.source.startswith(("hf:", "modelscope:"))
    commands = download_commands(preset, None if in_cache else found.folder)
    return commands[0] if commands else ""
