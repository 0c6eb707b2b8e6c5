"""The terminal starts at once: no command loads what only a worker or the page needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from launcher.cli.app import app
from launcher.cli.commands import SUMMARIES

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "lmdeploy", "gradio")


@pytest.mark.parametrize("command", [["--help"], ["presets"], ["--version"]], ids=" ".join)
def test_the_terminal_starts_without_heavy_packages(command: list[str]) -> None:
    program = (
        "import sys; from launcher.__main__ import main\n"
        f"sys.argv[1:] = {command!r}\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_list_of_commands_imports_none_of_them() -> None:
    """Nor what they import: it is shown at once."""
    program = (
        "import sys; from launcher.__main__ import main\n"
        "sys.argv[1:] = ['--help']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "from launcher.cli.commands import SUMMARIES\n"
        "names = [f'launcher.cli.{name}' for name in SUMMARIES]\n"
        "names += ['pydantic', 'PIL', 'rich', 'yaml', 'asyncio']\n"
        "loaded = [name for name in names if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_list_says_of_a_command_what_its_own_help_begins_with(name: str) -> None:
    group = typer.main.get_command(app)
    command = group.get_command(typer.Context(group), name)
    assert command.help is not None
    assert " ".join(command.help.partition("\n\n")[0].split()) == SUMMARIES[name]
