"""The command line's root: its commands, its own options, and what becomes of an error."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from launcher.cli import render, streams
from launcher.cli.commands import Commands
from launcher.cli.signals import leave_when_told_to
from launcher.errors import LauncherError

DEFECT = 1
_HELP = {"-h", "--help"}


@dataclass
class Session:
    """What was typed, and what the root's options say to the one catch."""

    arguments: Sequence[str]
    debug: bool = False


app = typer.Typer(
    name="launcher",
    cls=Commands,
    help="Small vision-language models in the browser and in the terminal, on one 8 GB GPU or none.",
    epilog="Exit codes: 0 done, 1 a defect or what the system refuses, 2 wrong arguments or preset file,"
    " 3 checkpoint, 4 GPU, 5 memory plan, 6 picture, 7 question, 8 engine, 9 a package is missing,"
    " 10 port in use, 129 SIGHUP, 130 Ctrl-C, 131 SIGQUIT, 143 SIGTERM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        render.line(f"launcher {_version()}")
        raise typer.Exit


def _version() -> str:
    try:
        return importlib.metadata.version("launcher")
    except importlib.metadata.PackageNotFoundError:  # run from a clone that was never installed
        return "(not installed)"


@app.callback()
def _root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    session = context.ensure_object(Session)
    session.debug = debug
    if session.arguments and not _HELP.intersection(session.arguments):
        _check_working_folder()


def _check_working_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise LauncherError(
            "The folder that this terminal is in cannot be found any more: {reason}",
            "Type: cd  (and then the command again)",
            reason=error.strerror,
        ) from error


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; prints what went wrong to standard error, and returns the exit code."""
    session = Session(arguments)
    leave_when_told_to()
    streams.settle()
    code = _run(session)
    try:
        streams.flush_output()
    except LauncherError as error:  # what was to be said is lost: no success
        render.error(error, debug=session.debug)
        return code or error.exit_code
    return code


def _run(session: Session) -> int:
    try:
        # Wrong arguments, Ctrl-C and a reader of the output who left are Typer's: it exits with 2, 130 and 1.
        typer.main.get_command(app)(list(session.arguments), prog_name="launcher", obj=session)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except LauncherError as error:
        render.error(error, debug=session.debug)
        return error.exit_code
    except OSError as error:
        refused = streams.refused(error)
        render.error(refused, debug=session.debug)
        return refused.exit_code
    except Exception as error:  # noqa: BLE001 - the process ends here: the one place that words a defect for a person
        render.defect(error, debug=session.debug)
        return DEFECT
    return 0
