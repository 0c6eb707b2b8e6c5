"""``launcher bench``: what the launcher costs beside the bare engine, measured on this machine.

Everything heavy runs in processes of the measurement's own; they end with the command.
"""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli import render
from launcher.cli.bench_options import (
    AsJson,
    Engine,
    Image,
    Pictures,
    PresetName,
    Rate,
    Runs,
    Tokens,
    Turns,
    Users,
    Way,
    check_turns,
    measurement,
    plan_of,
    tell,
    work_of,
)
from launcher.cli.bench_waits import bench_idle, bench_start, bench_switch
from launcher.cli.preset_paths import PresetPaths

bench = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure what the page, a switch and a start cost on this machine.",
)


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

    check_turns(turns, pictures)
    plan = plan_of(users, runs)
    with measurement(engine, rate, preset, presets) as measured:
        work = work_of(measured, tokens, image, turns, pictures)
        found = measure_engine(measured.model, work, plan, tell)
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
            help="api: a tab's endpoint for programs. browser: what the page sends when a person presses"
            " Enter. openai: the endpoint that speaks OpenAI's API.  [default: all]"
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Another server of the same model, asked the same by OpenAI's API, which begins at URL:"
            " http://127.0.0.1:23333/v1 is that of lmdeploy serve api_server. Its first model is asked.",
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

    A page is served for the purpose, and people in a process beside it ask. In turns with them, run by run,
    its engine is asked in its own process, past the page. The tab's endpoint takes one question at a time, so
    with --turns the other ways alone are measured.

    tokens/s, bare engine: tokens of all answers together in each second from the first question to the end
    of the last answer; the runs' median.

    ratio: the one divided by the other. 1 is a page that costs nothing.

    first text later, end later: how many milliseconds later than from the bare engine a person has the first
    text, and the whole answer. Medians of all answers are compared with each other, and so is what 95 of 100
    stay below.
    """
    from launcher.bench.figures import page_figures
    from launcher.bench.throughput import BARE, measure_page
    from launcher.cli import bench_view

    check_turns(turns, pictures)
    plan = plan_of(users, runs, _routes(route, turns))
    with measurement(engine, rate, preset, presets) as measured:
        work = work_of(measured, tokens, image, turns, pictures)
        found = measure_page(measured.model, work, plan, measured.folder, tell, against=against)
    ways = (*plan.routes, *([against] if against else []))
    figures = [
        page_figures(users, way, found[way, users], found[BARE, users])
        for way in ways
        for users in plan.users
    ]
    if as_json:
        render.data(figures)
    else:
        bench_view.page_table(measured.title, figures)


bench.command("switch")(bench_switch)
bench.command("start")(bench_start)
bench.command("idle")(bench_idle)


def _routes(given: list[Way] | None, turns: int) -> tuple[str, ...]:
    if turns and given and Way.API in given:
        raise typer.BadParameter(
            "The API takes one question, without what came before: leave --turns out.", param_hint="--route"
        )
    wanted = given or [way for way in Way if not (turns and way is Way.API)]
    return tuple(way.value for way in Way if way in wanted)
