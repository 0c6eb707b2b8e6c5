"""The root of the command line: help, version, exit codes, and what becomes of errors nobody foresaw."""

from __future__ import annotations

import subprocess
import sys

import pytest

from launcher import errors
from tests.cli.conftest import Launch


def test_help_lists_the_commands(launch: Launch) -> None:
    done = launch("--help")
    assert done.returncode == 0
    for command in ("serve", "presets", "ask"):
        assert f"\n  {command} " in done.stdout
    assert launch("-h").stdout == done.stdout


def test_help_has_every_exit_code(launch: Launch) -> None:
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.LauncherError)
    }
    epilog = " ".join(launch("--help").stdout.partition("Exit codes:")[2].split())
    assert {int(each.split()[0]) for each in epilog.rstrip(".").split(",")} == codes | {0, 129, 130, 131, 143}


@pytest.mark.parametrize("command", ["serve", "presets", "ask"])
def test_every_command_has_help(launch: Launch, command: str) -> None:
    done = launch(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: launcher {command} ")


def test_version(launch: Launch) -> None:
    done = launch("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("launcher ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("ask",),
        ("ask", "a"),
        ("ask", "a", "b", "--temperature", "7"),
        ("presets", "--nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_exit_with_2_and_say_how(launch: Launch, arguments: tuple[str, ...]) -> None:
    done = launch(*arguments)
    assert done.returncode == 2
    assert "Usage: launcher" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect_is_worded_and_its_traceback_kept_for_debug(
    environment: dict[str, str], debug: bool
) -> None:
    """Nobody knows of one that could be had otherwise."""
    program = (
        "import sys; from launcher.cli import presets as command, run\n"
        "sys.modules['launcher.cli.presets'].json_schema = lambda: 1 / 0\n"
        f"sys.exit(run({['--debug'] * debug + ['presets', '--schema']}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "a defect of the launcher: ZeroDivisionError: division by zero" in done.stderr
    assert ("Traceback" in done.stderr) is debug
    assert ("--debug" in done.stderr.splitlines()[-1]) is not debug


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_for_a_person_has_its_own_code_and_no_traceback(launch: Launch, debug: bool) -> None:
    done = launch(*["--debug"] * debug, "ask", "internvl2-2", "hello")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.endswith("launcher: There is no preset internvl2-2\nDid you mean internvl2-2b?\n")
    assert ("Traceback" in done.stderr) is debug


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (("plan", "--gpu-gib", "nan"), "'nan'"),
        (("plan", "--gpu-gib", "8GB"), "'8GB'"),
        (("ask", "tiny-chat", "hi", "--temperature", "0,5"), "'0,5'"),
        (("ask", "tiny-chat", "hi", "--max-new-tokens", "0"), "'0'"),
        (("serve", "--port", "65536"), "'65536'"),
        (("quantize", "tiny-chat", "--samples", "3"), "'3'"),
        (("pull", "internvl2-2b", "--from", "hub"), "'hub'"),
    ],
)
def test_an_option_that_is_refused_is_shown_with_its_value(
    launch: Launch, typed: tuple[str, ...], value: str
) -> None:
    done = launch(*typed)
    assert done.returncode == 2
    assert f"Invalid value for '{typed[-2]}'" in done.stderr
    assert value in done.stderr.rpartition("Invalid value for ")[2].partition(":")[2]
