"""``launcher quantize``: a preset's model in four bits, made on this machine. What it takes of memory and
disk is said, and looked for, before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.checkpoints import quantized_folder
from launcher.cli import quantize_view, render
from launcher.cli.preset_paths import OnePreset, PresetPaths, read_catalog
from launcher.cli.quantize_place import check_free, check_room, device_for
from launcher.cli.quantize_preset import what_next
from launcher.cli.quantize_source import Source, source_of
from launcher.cli.run_folder import run_folder
from launcher.devices import read_devices
from launcher.errors import RequestError
from launcher.families import ModelSizes
from launcher.user_folders import typed

if TYPE_CHECKING:
    from launcher.quantizing.material import Wish

_MOST_TILES = 4
SAMPLES = 32


def quantize(
    preset: OnePreset,
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
    from launcher.quantizing.material import Wish
    from launcher.quantizing.needs import needs

    source = source_of(read_catalog(presets).find(preset))
    if images is not None and source.sizes.pictures is None:
        raise RequestError(
            "{name} reads no pictures: --images {folder} is of no use to it",
            "Leave --images out; --texts names a file of texts.",
            name=preset,
            folder=images,
        )
    target = (to or quantized_folder(source.preset.name)).absolute()
    check_free(target)
    wish = Wish(samples, source.sizes.pictures is not None, images, texts, source.built_in)
    taken = needs(source.sizes, samples, _picture_tokens(source.sizes))
    device = device_for(source.preset, taken, read_devices())
    check_room(target, taken, source.preset)
    render.note(quantize_view.takes(source, target, taken, device))
    _make(source, target, wish, device.name)
    render.line(f"{source.preset.name} in four bits is in {target}")
    render.note(what_next(source.preset, target))


def _make(source: Source, target: Path, wish: Wish, device: str) -> None:
    """Makes the checkpoint, and shows how far that is and how it compares."""
    from launcher.quantizing.material import gather

    with run_folder() as scratch:
        material = gather(wish, scratch)
        from launcher.quantizing.run import Order
        from launcher.quantizing.run import quantize as make  # torch: what is wrong so far was told before

        with quantize_view.progress() as report:
            compared = make(Order(source.preset, source.facts, target, material, device), report)
    for line in quantize_view.compared(compared):
        render.line(line)


def _picture_tokens(sizes: ModelSizes) -> int:
    pictures = sizes.pictures
    return 0 if pictures is None else pictures.limited(min(_MOST_TILES, pictures.limit)).most_tokens
