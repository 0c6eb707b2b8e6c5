"""``launcher bench``: what the launcher costs beside the bare engine, measured on this machine.

Everything heavy runs in processes of the measurement's own; they end with the command.
"""

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


class Way(str, Enum):
    """How a question gets to the page."""

    API = "api"
    BROWSER = "browser"


bench = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure what the page, a switch and a start cost on this machine.",
)

RATE = 500.0
_GIB = 1 << 30
_NUMBERS = re.compile(r"[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*")

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


@bench.command("engine")
def bench_engine(
    engine: Engine = None,
    rate: Rate = None,
    preset: PresetName = None,
    *,
    users: Users = "1,4,8,16,32",
    tokens: Tokens = 512,
    runs: Runs = 3,
    image: Image = None,
    turns: Turns = 0,
    pictures: Pictures = 0,
    as_json: AsJson = False,
    presets: PresetPaths = None,
) -> None:
    """Measure the bare engine: the best that any page can give.

    The engine is asked in the process that it runs in, with nothing in between. After a warm-up, everybody
    asks at one moment, as often as --runs says.

    tokens/s: tokens of all answers together, as the engine counts them, in each second from the first
    question to the end of the last answer; the runs' median.

    first text, whole answer: milliseconds from a person's question; the median of all answers, and what 95
    of 100 stay below.
    """
    from launcher.bench.figures import engine_figures
    from launcher.bench.throughput import measure_engine
    from launcher.cli import bench_view

    plan = _plan(users, runs)
    with _measurement(engine, rate, preset, presets) as measured:
        work = _work(measured, tokens, image, turns, pictures)
        found = measure_engine(measured.model, work, plan, _tell)
    figures = [engine_figures(each, found[each]) for each in plan.users]
    if as_json:
        render.data(figures)
    else:
        bench_view.engine_table(measured.title, figures)


@bench.command("page")
def bench_page(
    engine: Engine = None,
    rate: Rate = None,
    preset: PresetName = None,
    *,
    route: Annotated[
        list[Way] | None,
        typer.Option(
            help="api: the endpoint for programs. browser: what the page sends when a person presses Enter."
            "  [default: both]"
        ),
    ] = None,
    users: Users = "1,4,8,16,32",
    tokens: Tokens = 512,
    runs: Runs = 3,
    image: Image = None,
    turns: Turns = 0,
    pictures: Pictures = 0,
    as_json: AsJson = False,
    presets: PresetPaths = None,
) -> None:
    """Measure the page beside the bare engine: what is lost on the way from the engine to a person.

    First the bare engine is measured, as `launcher bench engine` does; then the same questions go to a page
    that is served for the purpose, from a process of people beside it. The API takes one question at a time,
    so with --turns only the browser's way is measured.

    tokens/s, bare engine: tokens of all answers together in each second from the first question to the end
    of the last answer; the runs' median.

    ratio: the one divided by the other. 1 is a page that costs nothing.

    first text later, end later: how many milliseconds later than from the bare engine a person has the first
    text, and the whole answer. Medians of all answers are compared with each other, and so is what 95 of 100
    stay below.
    """
    from launcher.bench.figures import page_figures
    from launcher.bench.throughput import measure_engine, measure_page
    from launcher.cli import bench_view

    plan = _plan(users, runs, _routes(route, turns))
    with _measurement(engine, rate, preset, presets) as measured:
        work = _work(measured, tokens, image, turns, pictures)
        bare = measure_engine(measured.model, work, plan, _tell)
        page = measure_page(measured.model, work, plan, measured.folder, _tell)
    figures = [page_figures(users, way, each, bare[users]) for (way, users), each in page.items()]
    if as_json:
        render.data(figures)
    else:
        bench_view.page_table(measured.title, figures)


@bench.command("switch")
def bench_switch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PRESET]...",
            help="Two or more models that take turns; without, two scripted ones.",
            autocompletion=preset_names,
        ),
    ] = None,
    *,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How often each is asked.")] = 5,
    route: Annotated[Way, typer.Option(help="The way to the page.")] = Way.BROWSER,
    gpu_gib: Annotated[
        float | None,
        typer.Option(
            "--gpu-gib",
            min=0.5,
            max=1024,
            help="What the models may hold of the GPU together, where it has more.",
        ),
    ] = None,
    as_json: AsJson = False,
    presets: PresetPaths = None,
) -> None:
    """Measure switches: a question in a tab whose model sleeps, while another one has the GPU.

    The page is served with these models and nothing else. Each is asked once, so that it is loaded, and then
    in turn, so that whoever is asked sleeps.

    first text: seconds from the question to the first text of its answer, over the page; the rounds' median,
    the fastest and the slowest.

    Scripted models have no weights to move: their figure is what the launcher itself takes.
    """
    from launcher.bench.scripted_models import scripted_models, taking_turns
    from launcher.bench.switch import measure_switches
    from launcher.cli import bench_view

    if names and len(set(names)) < 2:
        raise typer.BadParameter("Name two models or more: they take turns.", param_hint="PRESET")
    if gpu_gib is not None and not names:
        raise typer.BadParameter("Name the models that share it.", param_hint="--gpu-gib")
    limit_bytes = None if gpu_gib is None else int(gpu_gib * _GIB)
    with run_folder() as folder:
        if names:
            catalog = read_catalog(presets)
            models, speed = [ready(catalog.find(name)) for name in dict.fromkeys(names)], None
        else:
            models, speed = taking_turns(scripted_models(folder, ("one", "two")), _GIB), RATE
            limit_bytes = _GIB
        figures = measure_switches(
            models, rounds, route.value, folder, _tell, rate=speed, limit_bytes=limit_bytes
        )
    if as_json:
        render.data(figures)
    else:
        bench_view.switch_table(figures)


@bench.command("start")
def bench_start(
    engine: Engine = None,
    preset: PresetName = None,
    *,
    runs: Runs = 3,
    as_json: AsJson = False,
    presets: PresetPaths = None,
) -> None:
    """Measure starts: from `launcher serve` to its page and to a first answer.

    Disk caches and compiled files stay as they are; to measure a cold start, empty them before and give
    --runs 1.

    page: seconds from the command to a page that a browser is given.

    first answer: seconds from the command to the first text of an answer, asked for as soon as the page is
    there; the model is named with --preload.

    help: seconds that `launcher --help` takes, and how many times what the Python interpreter takes to start
    and do nothing.
    """
    from launcher.bench.start import measure_start
    from launcher.cli import bench_view

    with _measurement(engine, None, preset, presets) as measured:
        chosen = measured.model.preset
        paths = [measured.folder] if measured.rate else list(presets or ())
        figures = measure_start(chosen, paths, runs, _tell, rate=measured.rate)
    if as_json:
        render.data(figures)
    else:
        bench_view.start_table(figures)


@bench.command("idle")
def bench_idle(
    pages: Annotated[int, typer.Option(min=0, max=500, help="Pages that are open and do nothing.")] = 200,
    waiting: Annotated[
        int, typer.Option(min=0, max=300, help="People more who have asked a model that loads and loads.")
    ] = 20,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long it is measured.")] = 30.0,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure pages that are open and do nothing, and people who wait.

    The page is served with seven scripted models.

    core: how much of one processor core the page's own process takes meanwhile, in per cent.
    """
    from launcher.bench.idle import measure_idle
    from launcher.cli import bench_view

    with run_folder() as folder:
        figures = measure_idle(pages, waiting, seconds, folder, _tell)
    if as_json:
        render.data(figures)
    else:
        bench_view.idle_table(figures)


@dataclass(frozen=True, slots=True)
class _Measured:
    """The model of a measurement; ``rate`` is that of a scripted one. ``folder`` is for files."""

    model: Readiness
    rate: float | None
    folder: Path

    @property
    def title(self) -> str:
        name, engine, device = self.model.preset.name, self.model.engine, self.model.device
        return f"{name}, {self.rate:g} tokens/s" if self.rate else f"{name}, {engine}, {device}"


@contextmanager
def _measurement(
    engine: str | None, rate: float | None, preset: str | None, presets: PresetPaths
) -> Iterator[_Measured]:
    if preset is not None and (engine or rate):
        option = "--engine" if engine else "--rate"
        raise typer.BadParameter("--preset names a real model; give one of the two.", param_hint=option)
    with run_folder() as folder:
        if preset is not None:
            yield _Measured(ready(read_catalog(presets).find(preset)), None, folder)
        else:
            from launcher.bench.scripted_models import scripted_models

            yield _Measured(scripted_models(folder)[0], rate or RATE, folder)


def _work(measured: _Measured, tokens: int, image: str | None, turns: int, pictures: int) -> Workload:
    """What is asked, with checked pictures."""
    from launcher.bench.drawn_pictures import draw
    from launcher.bench.workload import Workload

    if pictures > turns:
        raise typer.BadParameter(
            f"{pictures} pictures need as many turns: --turns {pictures}", param_hint="--pictures"
        )
    if image is not None or pictures:
        check_takes_pictures(measured.model.preset)
    picture = None if image is None else PictureFiles().find([image], Path.cwd())[0]
    return Workload(tokens, measured.rate, picture, turns, draw(measured.folder, pictures))


def _plan(users: str, runs: int, routes: tuple[str, ...] = ()) -> Plan:
    from launcher.bench.throughput import Plan

    if not _NUMBERS.fullmatch(users):
        raise typer.BadParameter(
            f"{users!r} is no list of numbers from 1 to 9999, such as 1,8,32.", param_hint="--users"
        )
    return Plan(tuple(sorted({int(number) for number in users.split(",")})), runs, routes)


def _routes(given: list[Way] | None, turns: int) -> tuple[str, ...]:
    if not turns:
        return tuple(way.value for way in Way if not given or way in given)
    if given and Way.API in given:
        raise typer.BadParameter(
            "The API takes one question, without what came before: leave --turns out.", param_hint="--route"
        )
    return (Way.BROWSER.value,)


def _tell(text: str) -> None:
    """What is measured now, where somebody looks."""
    if sys.stderr.isatty():
        render.note(text)
