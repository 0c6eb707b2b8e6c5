"""``launcher quantize``: a preset's model in four bits, made on this machine. What it takes of memory and
disk is said, and looked for, before anything is read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher import families
from launcher.checkpoints import CONFIG, CheckpointFacts, Located, locate, quantized_folder, read_facts
from launcher.cli import quantize_view, render
from launcher.cli.completion import preset_names
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.cli.preset_standing import on_disk
from launcher.commands_here import command
from launcher.devices import Devices, read_devices
from launcher.errors import CheckpointError, DeviceError, LauncherError, PresetError, UnsupportedModel
from launcher.families import Family, ModelSizes
from launcher.memory import GIB
from launcher.presets import Preset, users_folder
from launcher.readiness import gpus_for, not_here
from launcher.user_folders import typed

if TYPE_CHECKING:
    from launcher.quantizing.needs import Needs

_GROUP = 128
_MOST_TILES = 4
SAMPLES = 32


@dataclass(frozen=True, slots=True)
class _Source:
    """What is quantised: a preset's checkpoint in 16 bits."""

    preset: Preset
    located: Located
    facts: CheckpointFacts
    sizes: ModelSizes

    @property
    def built_in(self) -> bool:
        """Whether it comes with the launcher."""
        return self.located.source.startswith("builtin:")


@dataclass(frozen=True, slots=True)
class _Device:
    """Where it is computed: torch's name, and what people call it."""

    name: str
    shown: str


def quantize(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="PRESET", help="Which model; see: launcher presets", autocompletion=preset_names
        ),
    ],
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            parser=typed,
            help="The new checkpoint's own folder; without, where presets look for it.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="FOLDER",
            parser=typed,
            help="Pictures such as it will be shown; without, simple ones that are drawn.",
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            "--texts",
            metavar="FILE",
            parser=typed,
            help="Texts such as it will read, with empty lines between them; without, a few of our own.",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=4, max=1024, help="How many pictures and texts it reads.")
    ] = SAMPLES,
    presets: PresetPaths = None,
) -> None:
    """Make a model whose language model has four bits (AWQ), and compare it with the original.

    Decoder layers are rounded one after the other, so that one at a time is in memory. A run that was ended
    goes on where it stopped when the same is typed again.
    """
    source = _source(read_catalog(presets).find(preset))
    target = (to or quantized_folder(source.preset.name)).absolute()
    _check_free(target)
    from launcher.quantizing.material import Wish, gather
    from launcher.quantizing.needs import needs

    pictures = source.sizes.pictures
    wish = Wish(samples, pictures is not None, images, texts, source.built_in)
    taken = needs(source.sizes, samples, _picture_tokens(source.sizes))
    device = _device(source.preset, taken, read_devices())
    _check_room(target, taken, source.preset)
    render.note(_takes(source, target, taken, device))
    with tempfile.TemporaryDirectory(prefix="launcher-quantize-") as scratch:
        material = gather(wish, Path(scratch))
        from launcher.quantizing.run import Order
        from launcher.quantizing.run import quantize as make  # torch: what is wrong so far was told before

        with quantize_view.progress() as report:
            compared = make(Order(source.preset, source.facts, target, material, device.name), report)
    for line in quantize_view.compared(compared):
        render.line(line)
    render.line(f"{source.preset.name} in four bits is in {target}")
    render.note(_what_next(source.preset, target, presets))


def _source(preset: Preset) -> _Source:
    """What the preset names.

    Raises:
        CheckpointError: it is not here, broken, or of a kind that cannot be quantised.
    """
    if preset.endpoint is not None:
        raise CheckpointError(
            "{name} runs on the server at {url}: its weights are not here",
            "Take a preset whose model is on this machine: {command}",
            name=preset.name,
            url=preset.endpoint.url,
            command=command("presets", presets=preset.given),
        )
    found = locate(preset)
    if not isinstance(found, Located):
        raise not_here(preset, found)
    facts, file = read_facts(found.folder), found.folder / CONFIG
    family = families.of(facts.config, file)
    sizes = family.sizes(facts.config, facts.loaded_tensor_bytes, file)
    _check_kind(preset, facts, family, sizes)
    return _Source(preset, found, facts, sizes)


def _check_kind(preset: Preset, facts: CheckpointFacts, family: Family, sizes: ModelSizes) -> None:
    if facts.quantization is not None:
        raise UnsupportedModel(
            "{name} is quantised already ({method}, {bits} bits)",
            "Take the preset of the model in 16 bits.",
            name=preset.name,
            method=facts.quantization.method,
            bits=facts.quantization.bits,
        )
    if not family.layered:
        known = (each.title for each in families.FAMILIES if each.layered)
        raise UnsupportedModel(
            "{name} is a model of {family}, which `launcher quantize` cannot take",
            "It takes {known}. Many others are published in four bits: look for AWQ on the hub.",
            name=preset.name,
            family=family.title,
            known="; ".join(known),
        )
    language = sizes.language
    for width in (language.hidden, language.heads * language.head_dim, language.intermediate):
        if width % _GROUP:
            raise UnsupportedModel(
                "{name} has linear layers of {width} numbers, which groups of {group} do not divide",
                "LMDeploy's kernels know no other groups: take another model.",
                name=preset.name,
                width=width,
                group=_GROUP,
            )


def _check_free(target: Path) -> None:
    if target.exists():
        raise CheckpointError(
            "{folder} is there already",
            "Name another folder with --to, or delete that one.",
            folder=target,
        )


def _picture_tokens(sizes: ModelSizes) -> int:
    pictures = sizes.pictures
    return 0 if pictures is None else pictures.limited(min(_MOST_TILES, pictures.limit)).most_tokens


def _device(preset: Preset, taken: Needs, devices: Devices) -> _Device:
    """A card with room for one layer at work, else the CPU.

    Raises:
        DeviceError: neither has the memory.
    """
    free_ram = devices.ram_free_bytes
    gpus = gpus_for(preset, devices) if devices.gpus else []
    for gpu in gpus:
        if gpu.free_bytes >= taken.device_bytes and free_ram >= taken.beside_gpu_bytes and _has_cuda():
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
            return _Device("cuda:0", f"GPU {gpu.number}")
    if free_ram >= taken.cpu_bytes:
        return _Device("cpu", "the CPU")
    raise DeviceError(
        "Quantising {name} takes {needed:.1f} GiB of memory on the CPU, and {free:.1f} of {total:.1f} GiB are"
        " free; on a GPU {gpu_needed:.1f} GiB of its memory, and {gpu_free} GiB are free",
        "Close other programs, or take fewer --samples.",
        name=preset.name,
        needed=taken.cpu_bytes / GIB,
        free=free_ram / GIB,
        total=devices.ram_total_bytes / GIB,
        gpu_needed=taken.device_bytes / GIB,
        gpu_free=f"{max((gpu.free_bytes for gpu in gpus), default=0) / GIB:.1f}",
    )


def _has_cuda() -> bool:
    from launcher.readiness import installed_engines

    return installed_engines().torch_cuda


def _check_room(target: Path, taken: Needs, preset: Preset) -> None:
    """Raises CheckpointError where the disk has not enough room for what is still to come."""
    from launcher.quantizing.places import finished_bytes

    place = next(each for each in target.parents if each.is_dir())
    needed, free = taken.result_bytes - finished_bytes(target), shutil.disk_usage(place).free
    if needed > free:
        raise CheckpointError(
            "{name} needs {needed:.1f} MB more in {folder}, and {free:.1f} MB are free there",
            "Make room, then type again: {again}  (or choose a folder on another disk with --to)",
            name=preset.name,
            needed=needed / 10**6,
            folder=target,
            free=free / 10**6,
            again=command("quantize", preset.name, presets=preset.given),
        )


def _takes(source: _Source, target: Path, taken: Needs, device: _Device) -> str:
    memory = taken.cpu_bytes if device.name == "cpu" else taken.device_bytes
    return (
        f"{source.located.folder} -> {target}\n"
        f"On {device.shown}, at most about {memory / GIB:.1f} GiB of its memory;"
        f" {on_disk(source.facts.weight_bytes or 0)} of weights become {on_disk(taken.result_bytes)}"
    )


def _what_next(preset: Preset, target: Path, paths: Sequence[Path] | None) -> str:
    """How to ask it: by a preset that finds it, else by one that is written now."""
    for other in read_catalog(list(paths) if paths else None).presets:
        found = locate(other)
        if isinstance(found, Located) and found.folder.exists() and found.folder.samefile(target):
            return f"To ask it, type: {command('ask', other.name, '…', presets=other.given)}"
    try:
        file = _write_preset(preset, target)
    except (LauncherError, OSError) as error:
        line = json.dumps(str(target), ensure_ascii=False)
        return f"No preset was written: {error}\nPut a line first among a preset's sources:\n  - {line}"
    return f"Wrote {file}\nTo ask it, type: {command('ask', file.stem, '…')}"


def _write_preset(preset: Preset, target: Path) -> Path:
    """A preset of the user's own, which has all else from the one in 16 bits.

    Raises:
        PresetError: that one cannot be extended by its name.
    """
    if preset.given:
        raise PresetError("{name} is in none of the usual folders", name=preset.name)
    folder = users_folder()
    folder.mkdir(parents=True, exist_ok=True)
    taken = {each.name for each in read_catalog(None).presets}
    called = next(name for name in _names(preset.name) if name not in taken)
    title = {"en": f"{preset.title.en} AWQ", "zh": f"{preset.title.zh} AWQ"}
    file = folder / f"{called}.yaml"
    with file.open("x", encoding="utf-8") as opened:
        opened.write(
            f"# Made by: launcher quantize {preset.name}\n"
            f"name: {called}\n"
            f"extends: {preset.name}\n"
            f"title: {json.dumps(title, ensure_ascii=False)}\n"
            f"sources:\n  - {json.dumps(str(target), ensure_ascii=False)}\n"
        )
    return file


def _names(name: str) -> Sequence[str]:
    own = f"{name[:56]}-awq"
    return [own, *(f"{own}-{number}" for number in range(2, 100))]
