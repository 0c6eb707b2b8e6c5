"""Can a preset run on this machine, on which engine; if not, why, and what to type. Decides; starts and loads
nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from launcher import families
from launcher.checkpoints import (
    CONFIG,
    Absent,
    CheckpointFacts,
    Located,
    download_commands,
    locate,
    read_facts,
)
from launcher.commands_here import pip_install
from launcher.devices import Devices, Gpu, named
from launcher.engine_costs import KEPT_CONVERSATION_BYTES, KEPT_PICTURE_BYTES
from launcher.engines import table
from launcher.engines.declaration import Declaration
from launcher.errors import (
    CheckpointError,
    DeviceError,
    LauncherError,
    MemoryPlanError,
    MissingPart,
    PresetError,
    UnsupportedModel,
)
from launcher.families import Family, ModelSizes
from launcher.four_bits import in_four_bits
from launcher.gpu_support import check_gpu, compute_dtype
from launcher.memory import Card, MemoryPlan, plan_memory, wished_pictures
from launcher.preset_fits import check_chat
from launcher.presets import Endpoint, Preset
from launcher.user_folders import expanded

REMOTE = "remote"
"""What stands for a device where a model runs on a server."""
FIRST_GPU = "cuda:0"
"""What torch calls the only card that a model's process is shown."""

_ANYWHERE = table.find("transformers")
"""What runs a model that no LMDeploy engine can run here."""
_CPU_FACTOR = 2
"""On the CPU 16-bit weights are held in 32 bits."""
_SPARE_BYTES = 2**30 + KEPT_CONVERSATION_BYTES + KEPT_PICTURE_BYTES
"""Beside the weights: for the process, the tiles, the KV cache, and what is kept of earlier questions."""
_SLOW_BYTES = 200 * 2**20
_GIB = 2**30

GOES_ELSEWHERE = "Questions and pictures go to that server."
SLOW = "There is no GPU for this model: it runs on the CPU and answers slowly."


class ReadyState(Enum):
    """What stands between a preset and its first answer."""

    READY = "ready"
    NEEDS_DOWNLOAD = "needs download"
    NEEDS_GPU = "needs a GPU"
    NEEDS_KEY = "needs a key"
    UNSUPPORTED = "not supported here"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class InstalledEngines:
    """The names of the engines whose packages are here; ``torch_cuda`` says whether PyTorch is a build that
    knows CUDA."""

    names: frozenset[str]
    torch_cuda: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    """Where a preset stands on this machine.

    READY has engine (its name), device (a torch device name, or REMOTE), folder, with an LMDeploy engine the
    plan, with another the ``size_bytes`` that it takes of its device (None for a small model, which always
    has its place, and for one on a server, which has no folder either), and maybe a ``note``, a sentence to
    be shown. Any other state has the ``reason``, and the ``command`` that helps, exactly as it is to be
    typed, "" for none. On a machine with several cards this is the one with most room, ``gpu``, and
    ``elsewhere`` has the same for the others that it may run on.
    """

    preset: Preset
    state: ReadyState
    engine: str = ""
    device: str = ""
    folder: Path | None = None
    plan: MemoryPlan | None = None
    note: str = ""
    reason: LauncherError | None = None
    command: str = ""
    size_bytes: int | None = None
    gpu: Gpu | None = None
    elsewhere: tuple[Readiness, ...] = ()

    @property
    def places(self) -> tuple[Readiness, ...]:
        """Where it may run, each with its plan, the roomiest card first; none where it cannot run."""
        return (self, *self.elsewhere) if self.state is ReadyState.READY else ()

    @property
    def place(self) -> str:
        """Where it may run, for people: "cpu", "GPU 1", "GPU 0 or 1", a server's address."""
        if self.preset.endpoint is not None:
            return self.preset.endpoint.url
        numbers = [place.gpu.number for place in self.places if place.gpu is not None]
        return f"GPU {' or '.join(sorted(numbers))}" if numbers else self.device


def installed_engines() -> InstalledEngines:
    """Looks for the engines' packages without importing them."""
    names = frozenset(engine.name for engine in table.known() if all(map(_is_here, engine.modules)))
    return InstalledEngines(names, _is_here("torch") and "+cpu" not in importlib.metadata.version("torch"))


def _is_here(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def assess(preset: Preset, devices: Devices, installed: InstalledEngines) -> Readiness:
    """Where a preset stands. Never raises for what is wrong with it: see ``Readiness.reason``."""
    try:
        return _assess(preset, devices, installed)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one preset, the others can be used
        reason = CheckpointError(
            "{name} cannot be used: {kind}: {reason}",
            "This is a defect of the launcher; please report it.",
            name=preset.name,
            kind=type(error).__name__,
            reason=error,
        )
        return _refused(preset, ReadyState.BROKEN, reason)


def _assess(preset: Preset, devices: Devices, installed: InstalledEngines) -> Readiness:
    engine = _wanted(preset)
    if engine is not None and engine.needs == "folder":
        return _in_a_folder(preset, engine)
    if preset.endpoint is not None:
        return _on_a_server(preset, preset.endpoint)
    found = locate(preset)
    if isinstance(found, Absent):
        return _absent(preset, found, devices)
    try:
        facts = read_facts(found.folder)
    except CheckpointError as error:
        return _refused(preset, ReadyState.BROKEN, error, _repair(preset, found))
    assessed = assess_facts(preset, found.folder, facts, devices, installed)
    return (
        replace(assessed, command=_repair(preset, found)) if assessed.state is ReadyState.BROKEN else assessed
    )


def assess_facts(
    preset: Preset, folder: Path, facts: CheckpointFacts, devices: Devices, installed: InstalledEngines
) -> Readiness:
    """Where a preset stands with this checkpoint, which need not be here yet: its config and the sizes of its
    weight files are enough. Every card that it may run on is assessed by itself; where it cannot run on any,
    the roomiest one's reason is told."""
    try:
        gpus = gpus_for(preset, devices)
    except DeviceError as error:
        return _refused(preset, ReadyState.UNSUPPORTED, error)
    if not gpus:
        return _assess_alone(preset, folder, facts, devices, installed)
    found = [
        (gpu, _assess_alone(preset, folder, facts, replace(devices, gpus=(gpu,)), installed)) for gpu in gpus
    ]
    on_cards = [
        replace(each, gpu=gpu)
        for gpu, each in found
        if each.state is ReadyState.READY and each.device != "cpu"
    ]
    if on_cards:
        return replace(on_cards[0], elsewhere=tuple(on_cards[1:]))
    ready = (each for _, each in found if each.state is ReadyState.READY)
    return next(ready, found[0][1])


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


def _assess_alone(
    preset: Preset, folder: Path, facts: CheckpointFacts, devices: Devices, installed: InstalledEngines
) -> Readiness:
    """Where it stands on a machine with one card at most."""
    try:
        return _assess_present(preset, folder, facts, devices, installed)
    except UnsupportedModel as error:
        return _refused(preset, ReadyState.UNSUPPORTED, error)
    except CheckpointError as error:
        return _refused(preset, ReadyState.BROKEN, error)
    except (DeviceError, MemoryPlanError, MissingPart, PresetError) as error:
        return _refused(preset, ReadyState.UNSUPPORTED, error)


def _wanted(preset: Preset) -> Declaration | None:
    """The engine that it names; None leaves the choice."""
    return None if preset.engine_name == table.AUTO else table.find(preset.engine_name)


def _needs_gpu_for(engine: Declaration | None) -> bool:
    return engine is not None and "cpu" not in engine.devices


def _in_a_folder(preset: Preset, engine: Declaration) -> Readiness:
    """It needs no checkpoint, and takes nothing of a device that counts."""
    try:
        folder = expanded(preset.sources[0])
    except LauncherError as error:
        return _refused(preset, ReadyState.BROKEN, error)
    return Readiness(preset, ReadyState.READY, engine=engine.name, device="cpu", folder=folder)


def _on_a_server(preset: Preset, endpoint: Endpoint) -> Readiness:
    """It takes nothing of this machine; whether the server has it is found out by asking that, not here."""
    if endpoint.key_env and not os.environ.get(endpoint.key_env):
        return _refused(preset, ReadyState.NEEDS_KEY, _no_key(preset, endpoint))
    return Readiness(preset, ReadyState.READY, engine=preset.engine_name, device=REMOTE, note=GOES_ELSEWHERE)


def _no_key(preset: Preset, endpoint: Endpoint) -> PresetError:
    return PresetError(
        "{name} takes the key of {url} from the environment variable {variable}, which is not set",
        "Type: export {variable}=…  with the key, in the terminal where the launcher is started; or leave"
        " key_env out of the preset where the server asks for none.",
        name=preset.name,
        url=endpoint.url,
        variable=endpoint.key_env,
    )


def _refused(preset: Preset, state: ReadyState, reason: LauncherError, command: str = "") -> Readiness:
    return Readiness(preset, state, reason=reason, command=command)


def _absent(preset: Preset, absent: Absent, devices: Devices) -> Readiness:
    command = absent.commands[0] if absent.commands else ""
    if _needs_gpu_for(_wanted(preset)) and not devices.gpus:
        return _refused(preset, ReadyState.NEEDS_GPU, _gpu_and_download(preset, command), command)
    return _refused(
        preset, ReadyState.NEEDS_DOWNLOAD, not_here(preset, absent, is_slow=not devices.gpus), command
    )


def not_here(preset: Preset, absent: Absent, *, is_slow: bool = False) -> CheckpointError:
    """That its checkpoint is not on this machine, and what to type to have it; ``is_slow`` where it is worth
    saying before that there is no GPU for it."""
    name, places = preset.name, ", ".join(absent.places)
    command = absent.commands[0] if absent.commands else ""
    if not command:
        return CheckpointError(
            "{name} is not on this machine. Looked for it at {places}",
            "Put it there.",
            name=name,
            places=places,
        )
    if absent.is_made:
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
        return _needs_gpu(preset)
    return DeviceError(
        "{name} needs an NVIDIA GPU, and this machine has none; the model is not here either",
        "On a machine with a GPU, type: {command}",
        name=preset.name,
        command=command,
    )


def _needs_gpu(preset: Preset) -> DeviceError:
    return DeviceError(
        "{name} needs an NVIDIA GPU, and this machine has none",
        "Start the launcher on a machine with a GPU; nvidia-smi lists it there.",
        name=preset.name,
    )


def _repair(preset: Preset, found: Located) -> str:
    """What fetches a broken checkpoint anew, to where it lies."""
    in_cache = found.source.startswith(("hf:", "modelscope:"))
    commands = download_commands(preset, None if in_cache else found.folder)
    return commands[0] if commands else ""


def _assess_present(
    preset: Preset, folder: Path, facts: CheckpointFacts, devices: Devices, installed: InstalledEngines
) -> Readiness:
    family = families.of(facts.config, folder / CONFIG)
    sizes = family.sizes(facts.config, facts.loaded_tensor_bytes, folder / CONFIG)  # no engine does without
    check_chat(preset, facts, family)
    wished_pictures(sizes.pictures, preset.memory)  # or it asks for what there is not
    engine = _wanted(preset)
    if (_needs_gpu_for(engine) or _only_lmdeploy_reads(facts)) and not devices.gpus:
        return _refused(preset, ReadyState.NEEDS_GPU, _needs_gpu(preset))
    if _is_planned(engine, facts, devices, installed):
        (gpu,) = devices.gpus
        return _on_gpu(preset, folder, facts, installed, family=family, sizes=sizes, gpu=gpu)
    unplanned = engine or _ANYWHERE
    _check_installed(preset, unplanned, installed)
    usable = devices if installed.torch_cuda else replace(devices, gpus=())
    return _unplanned(preset, unplanned, folder, facts, usable)


def _is_planned(
    engine: Declaration | None, facts: CheckpointFacts, devices: Devices, installed: InstalledEngines
) -> bool:
    """Whether an LMDeploy engine is to run it: where it is wanted, where nothing else reads such weights, and
    by preference on a GPU."""
    if _only_lmdeploy_reads(facts):
        return True
    if engine is not None:
        return engine.is_planned
    return bool(devices.gpus) and any(table.find(name).is_planned for name in installed.names)


def _only_lmdeploy_reads(facts: CheckpointFacts) -> bool:
    return facts.quantization is not None and not facts.quantization.is_awq


def _on_gpu(
    preset: Preset,
    folder: Path,
    facts: CheckpointFacts,
    installed: InstalledEngines,
    *,
    family: Family,
    sizes: ModelSizes,
    gpu: Gpu,
) -> Readiness:
    engine = family.engine(preset.engine_name, sizes)
    _check_installed(preset, table.find(engine), installed)
    check_gpu(gpu.name, gpu.compute_capability, gpu.cuda_driver)
    dtype = compute_dtype(gpu.compute_capability, facts.dtype, preset.dtype)
    card, smaller = Card(gpu.total_bytes, gpu.free_bytes), partial(in_four_bits, preset, family, sizes)
    plan = plan_memory(preset.memory, sizes, engine, card, dtype, four_bits=smaller)
    return Readiness(preset, ReadyState.READY, engine=engine, device=FIRST_GPU, folder=folder, plan=plan)


def _check_installed(preset: Preset, engine: Declaration, installed: InstalledEngines) -> None:
    if engine.name not in installed.names:
        raise MissingPart(
            "{name} needs packages that are not installed: {packages}",
            "Type: {command}",
            name=preset.name,
            packages=", ".join(engine.packages),
            command=pip_install(*engine.packages),
        )


def _unplanned(
    preset: Preset, engine: Declaration, folder: Path, facts: CheckpointFacts, devices: Devices
) -> Readiness:
    """On a GPU where there is room for it and for what it will keep, else on the CPU."""
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
