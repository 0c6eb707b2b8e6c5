"""Can a preset run on this machine, on which engine; if not, why, and what to type. Decides; starts and loads
nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import families
from launcher.checkpoints import CONFIG, Absent, CheckpointFacts, locate, read_facts
from launcher.devices import Devices
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
from launcher.families import ConfigPart, Family, ModelSizes
from launcher.preset_fits import check_chat
from launcher.presets import Endpoint, Preset
from launcher.readiness.absent import absent, only_on_gpu, repair
from launcher.readiness.cards import gpus_for
from launcher.readiness.device import on_gpu, unplanned
from launcher.readiness.installed import InstalledEngines, check_installed
from launcher.readiness.standing import GOES_ELSEWHERE, REMOTE, Readiness, ReadyState, refused
from launcher.readiness.whole import check_whole
from launcher.user_folders import expanded

_ANYWHERE = table.find("transformers")
"""What runs a model that no LMDeploy engine can run here."""
_REFUSALS = (CheckpointError, DeviceError, MemoryPlanError, MissingPart, PresetError)
"""Why a model cannot run, as the parts that are asked raise it."""


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
        return refused(preset, ReadyState.BROKEN, reason)


def _assess(preset: Preset, devices: Devices, installed: InstalledEngines) -> Readiness:
    engine = _wanted(preset)
    if engine is not None and engine.needs == "folder":
        return _in_a_folder(preset, engine)
    if preset.endpoint is not None:
        return _on_a_server(preset, preset.endpoint)
    found = locate(preset)
    if isinstance(found, Absent):
        return absent(preset, found, devices, needs_gpu=_needs_gpu_for(engine))
    try:
        facts = read_facts(found.folder)
    except CheckpointError as error:
        return refused(preset, ReadyState.BROKEN, error, repair(preset, found))
    assessed = assess_facts(preset, found.folder, facts, devices, installed)
    return (
        replace(assessed, command=repair(preset, found)) if assessed.state is ReadyState.BROKEN else assessed
    )


def assess_facts(
    preset: Preset, folder: Path, facts: CheckpointFacts, devices: Devices, installed: InstalledEngines
) -> Readiness:
    """Where a preset stands with this checkpoint, which need not be here yet: its config and the sizes of its
    weight files are enough. Every card that it may run on is assessed by itself; where it cannot run on any,
    the roomiest one's reason is told."""
    try:
        gpus = gpus_for(preset, devices)
        model = _whole_model(preset, folder, facts)
    except _REFUSALS as error:
        return _refused(preset, error)
    if not gpus:
        return _assess_alone(preset, model, devices, installed)
    found = [(gpu, _assess_alone(preset, model, replace(devices, gpus=(gpu,)), installed)) for gpu in gpus]
    on_cards = [
        replace(each, gpu=gpu)
        for gpu, each in found
        if each.state is ReadyState.READY and each.device != "cpu"
    ]
    if on_cards:
        return replace(on_cards[0], elsewhere=tuple(on_cards[1:]))
    ready = (each for _, each in found if each.state is ReadyState.READY)
    return next(ready, found[0][1])


@dataclass(frozen=True, slots=True)
class _Model:
    """What is known of a checkpoint whatever the card; its folder need not be here yet."""

    folder: Path
    facts: CheckpointFacts
    family: Family
    sizes: ModelSizes


def _whole_model(preset: Preset, folder: Path, facts: CheckpointFacts) -> _Model:
    """Raises one of ``_REFUSALS`` where no engine would load it."""
    family = families.of(facts.config, folder / CONFIG)
    tensor_bytes, number_bytes = facts.loaded_tensor_bytes, facts.number_bytes
    sizes = family.sizes(facts.config, tensor_bytes, folder / CONFIG, number_bytes)  # no engine does without
    check_chat(preset, facts, family)
    check_whole(preset, folder, facts, family, sizes)
    return _Model(folder, facts, family, sizes)


def _assess_alone(preset: Preset, model: _Model, devices: Devices, installed: InstalledEngines) -> Readiness:
    """Where it stands on a machine with one card at most."""
    try:
        return _assess_present(preset, model, devices, installed)
    except _REFUSALS as error:
        return _refused(preset, error)


def _refused(preset: Preset, error: LauncherError) -> Readiness:
    is_broken = isinstance(error, CheckpointError) and not isinstance(error, UnsupportedModel)
    return refused(preset, ReadyState.BROKEN if is_broken else ReadyState.UNSUPPORTED, error)


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
        return refused(preset, ReadyState.BROKEN, error)
    return Readiness(preset, ReadyState.READY, engine=engine.name, device="cpu", folder=folder)


def _on_a_server(preset: Preset, endpoint: Endpoint) -> Readiness:
    """It takes nothing of this machine; whether the server has it is found out by asking that, not here."""
    if endpoint.key_env and not os.environ.get(endpoint.key_env):
        return refused(preset, ReadyState.NEEDS_KEY, _no_key(preset, endpoint))
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


def _assess_present(
    preset: Preset, model: _Model, devices: Devices, installed: InstalledEngines
) -> Readiness:
    folder, facts, family = model.folder, model.facts, model.family
    engine = _wanted(preset)
    if (_needs_gpu_for(engine) or _only_lmdeploy_reads(facts)) and not devices.gpus:
        return refused(preset, ReadyState.NEEDS_GPU, only_on_gpu(preset))
    if _is_planned(engine, facts, devices, installed):
        (gpu,) = devices.gpus
        return on_gpu(preset, folder, facts, installed, family=family, sizes=model.sizes, gpu=gpu)
    other = engine or _ANYWHERE
    family.check_on_transformers(ConfigPart(facts.config, str(folder / CONFIG)))
    check_installed(preset, other, family, installed)
    usable = devices if installed.torch_cuda else replace(devices, gpus=())
    return unplanned(preset, other, folder, facts, usable)


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
