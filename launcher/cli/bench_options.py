"""What the commands of ``launcher bench`` share: their options, and the model and questions that these
name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from launcher.cli import render
from launcher.cli.completion import preset_names
from launcher.cli.loaded_model import ready
from launcher.cli.picture_files import PictureFiles
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.cli.questions import check_takes_pictures
from launcher.cli.run_folder import run_folder
from launcher.readiness import Readiness

if TYPE_CHECKING:
    from launcher.bench.throughput import Plan
    from launcher.bench.workload import Workload

RATE = 500.0
"""Of the scripted engine, unless told otherwise."""

MOST_USERS = 400
"""More than that and a process may have no more connections: a person has two, and 1024 files is a usual
limit."""

_NUMBERS = re.compile(r"[1-9][0-9]{0,2}(,[1-9][0-9]{0,2})*")


class Way(str, Enum):
    """How a question gets to the page."""

    API = "api"
    BROWSER = "browser"
    OPENAI = "openai"


Engine = Annotated[
    Literal["scripted"] | None,
    typer.Option("--engine", help="scripted: no model, but one that says words at a given speed. [default]"),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0.1, max=100_000, help="Tokens a second for each person, of --engine scripted.  [default: 500]"
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option("--preset", metavar="PRESET", help="A real model instead.", autocompletion=preset_names),
]
Users = Annotated[
    str, typer.Option(metavar="N,N,…", help="How many people ask at one moment; each number is measured.")
]
Tokens = Annotated[int, typer.Option(min=1, max=32768, help="Longest answer, in tokens.")]
Runs = Annotated[int, typer.Option(min=1, max=1000, help="How often each is measured; the median counts.")]
Image = Annotated[
    str | None, typer.Option("--image", metavar="PATH", help="A picture that everybody asks about.")
]
Turns = Annotated[
    int, typer.Option(min=0, max=1000, help="Questions and answers that came before, sent along each time.")
]
Pictures = Annotated[
    int, typer.Option(min=0, max=100, help="Pictures in those, drawn for the purpose; at most one a turn.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]


@dataclass(frozen=True, slots=True)
class Measured:
    """The model of a measurement; ``rate`` is that of a scripted one. ``folder`` is for files."""

    model: Readiness
    rate: float | None
    folder: Path

    @property
    def title(self) -> str:
        """What stands above its figures."""
        name, engine, device = self.model.preset.name, self.model.engine, self.model.place
        return f"{name}, {self.rate:g} tokens/s" if self.rate else f"{name}, {engine}, {device}"


@contextmanager
def measurement(
    engine: str | None, rate: float | None, preset: str | None, presets: PresetPaths
) -> Iterator[Measured]:
    """The model that the options name; files of the measurement are gone afterwards.

    Raises:
        LauncherError: it cannot run here.
    """
    if preset is not None and (engine or rate):
        option = "--engine" if engine else "--rate"
        raise typer.BadParameter("--preset names a real model; give one of the two.", param_hint=option)
    with run_folder() as folder:
        if preset is not None:
            yield Measured(ready(read_catalog(presets).find(preset)), None, folder)
        else:
            from launcher.bench.scripted_models import scripted_models

            yield Measured(scripted_models(folder)[0], rate or RATE, folder)


def check_turns(turns: int, pictures: int) -> None:
    """Raises BadParameter where pictures find no turn."""
    if pictures > turns:
        raise typer.BadParameter(
            f"{pictures} pictures need as many turns: --turns {pictures}", param_hint="--pictures"
        )


def work_of(measured: Measured, tokens: int, image: str | None, turns: int, pictures: int) -> Workload:
    """What is asked, with checked pictures."""
    from launcher.bench.drawn_pictures import draw
    from launcher.bench.workload import Workload

    if image is not None or pictures:
        check_takes_pictures(measured.model.preset)
    picture = None if image is None else PictureFiles().find([image], Path.cwd())[0]
    return Workload(tokens, measured.rate, picture, turns, draw(measured.folder, pictures))


def plan_of(users: str, runs: int, routes: tuple[str, ...] = ()) -> Plan:
    """How often what is measured."""
    from launcher.bench.throughput import Plan

    numbers = {int(number) for number in users.split(",")} if _NUMBERS.fullmatch(users) else set()
    if not numbers or max(numbers) > MOST_USERS:
        raise typer.BadParameter(
            f"{users!r} is no list of numbers from 1 to {MOST_USERS}, such as 1,8,32.", param_hint="--users"
        )
    return Plan(tuple(sorted(numbers)), runs, routes)


def tell(text: str) -> None:
    """What is measured now, where somebody looks."""
    if sys.stderr.isatty():
        render.note(text)
