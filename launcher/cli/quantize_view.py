"""What ``launcher quantize`` says: what it will take, how far it is (a bar in a terminal, lines elsewhere, on
standard error), and how the result compares with the original."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from launcher.cli import render
from launcher.cli.preset_standing import on_disk
from launcher.memory import GIB

if TYPE_CHECKING:
    from launcher.cli.quantize_place import Device
    from launcher.cli.quantize_source import Source
    from launcher.quantizing.comparing import Comparison
    from launcher.quantizing.needs import Needs

_SHOWN = {
    "checking": "checking the weights",
    "reading": "reading",
    "layers": "rounding layers",
    "comparing": "comparing with the original",
}


def takes(source: Source, target: Path, taken: Needs, device: Device) -> str:
    """From where to where, and what it will take there."""
    memory = taken.cpu_bytes if device.name == "cpu" else taken.device_bytes
    return (
        f"{source.located.folder} -> {target}\n"
        f"On {device.shown}, at most about {memory / GIB:.1f} GiB of its memory;"
        f" {on_disk(source.facts.weight_bytes or 0)} of weights become {on_disk(taken.result_bytes)}"
    )


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """What quantising reports to."""
    if not sys.stderr.isatty():
        yield _line
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def report(what: str, done: int, of: int) -> None:
            if done == 0:
                bar.reset(task)
            bar.update(task, description=_SHOWN[what], completed=done, total=of)

        yield report


def _line(what: str, done: int, of: int) -> None:
    """Each layer is worth a line; of the rest, the end."""
    if done and (what == "layers" or done == of):
        render.note(f"{_SHOWN[what]}: {done} of {of}")


def compared(found: Comparison) -> Iterator[str]:
    """The figures in words."""
    pairs = (
        ("pictures", found.original.pictures, found.four_bits.pictures),
        ("texts", found.original.texts, found.four_bits.texts),
    )
    for about, before, after in pairs:
        if not math.isnan(before):
            yield f"Perplexity on {about} it had not read: {after:.3f}; in 16 bits {before:.3f}"
    total = len(found.original.first_tokens)
    yield f"First token of an answer: the same for {found.same_first} of {total}"
