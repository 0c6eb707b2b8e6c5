"""``launcher bench switch``, ``start`` and ``idle``: what people wait for, and what waiting people cost."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli import render
from launcher.cli.bench_options import RATE, AsJson, Engine, PresetName, Runs, Way, measurement, tell
from launcher.cli.completion import preset_names
from launcher.cli.loaded_model import ready
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.cli.run_folder import run_folder
from launcher.devices import read_devices

_GIB = 1 << 30


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

    The page is served with these models and nothing else. Each is asked twice, so that it is loaded, and then
    in turn, so that whoever is asked sleeps.

    first text: seconds from the question to the first text of its answer, over the page; the rounds' median,
    the fastest and the slowest.

    Scripted models have no weights to move: their figure is what the launcher itself takes.
    """
    from launcher.bench.scripted_models import scripted_models, taking_turns
    from launcher.bench.smaller_gpu import smaller
    from launcher.bench.switch import measure_switches
    from launcher.cli import bench_view

    if names and len(set(names)) < 2:
        raise typer.BadParameter("Name two models or more: they take turns.", param_hint="PRESET")
    if gpu_gib is not None and not names:
        raise typer.BadParameter("Name the models that share it.", param_hint="--gpu-gib")
    limit_bytes = None if gpu_gib is None else int(gpu_gib * _GIB)
    with run_folder() as folder:
        if names:
            catalog, devices = read_catalog(presets), read_devices()
            if limit_bytes is not None:
                devices = smaller(devices, limit_bytes)
            models, speed = [ready(catalog.find(name), devices) for name in dict.fromkeys(names)], None
        else:
            models, speed = taking_turns(scripted_models(folder, ("one", "two")), _GIB), RATE
            limit_bytes = _GIB
        figures = measure_switches(
            models, rounds, route.value, folder, tell, rate=speed, limit_bytes=limit_bytes
        )
    if as_json:
        render.data(figures)
    else:
        bench_view.switch_table(figures)


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

    with measurement(engine, None, preset, presets) as measured:
        chosen = measured.model.preset
        paths = [measured.folder] if measured.rate else list(presets or ())
        figures = measure_start(chosen, paths, runs, tell, rate=measured.rate)
    if as_json:
        render.data(figures)
    else:
        bench_view.start_table(figures)


def bench_idle(
    pages: Annotated[int, typer.Option(min=0, max=500, help="Pages that are open and do nothing.")] = 200,
    waiting: Annotated[
        int, typer.Option(min=0, max=200, help="People more who have asked a model that loads and loads.")
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
        figures = measure_idle(pages, waiting, seconds, folder, tell)
    if as_json:
        render.data(figures)
    else:
        bench_view.idle_table(figures)
