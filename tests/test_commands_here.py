"""Commands as they are printed are typed here, in a shell, in several kinds of installation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.commands_here import command

ROOT = Path(__file__).resolve().parent.parent
SAY = (
    "import sys; from launcher.commands_here import command, pip_install, program\n"
    "print(command('presets', 'a b.yaml', presets=['my file.yaml']))\nprint(pip_install('a>1'))\n"
    "print(program('hf'))\n"
)
"""What a program of the launcher prints of itself."""
REST = "presets 'a b.yaml' --presets 'my file.yaml'"


def install(folder: Path, *, program: bool = True) -> Path:
    """An environment whose launcher says how it is called; returns its Python."""
    folder.mkdir(parents=True)
    python = folder / "python"
    python.symlink_to(sys.executable)
    if program:  # begins as pip writes it where a path has spaces
        begin = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
        (folder / "launcher").write_text(begin + SAY, encoding="utf-8")
        (folder / "launcher").chmod(0o755)
    return python


def said(*started: str | Path, path: Path, here: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{path}:/usr/bin:/bin"}
    done = subprocess.run(started, cwd=here, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("way", ["path", "link", "venv", "module", "absolute", "inside", "other"])
def test_a_printed_command_starts_this_launcher(way: str, tmp_path: Path) -> None:
    """Its first word, typed in the same folder, starts the same program; run so, it prints the same."""
    here, path = tmp_path / "my work", tmp_path / "elsewhere"
    here.mkdir()
    path.mkdir()
    bin_folder = tmp_path / "far off" if way == "absolute" else here / ".venv" / "bin"
    python = install(bin_folder)
    started: tuple[str | Path, ...] = (bin_folder / "launcher",)
    expected = ".venv/bin/launcher"
    match way:
        case "path":
            path, started, expected = bin_folder, ("launcher",), "launcher"
        case "link":  # as pipx and uv install it
            (path / "launcher").symlink_to(bin_folder / "launcher")
            expected = "launcher"
        case "module":  # as make does
            started = (python, "-c", SAY)
        case "absolute":
            expected = f"'{bin_folder}/launcher'"
        case "inside":
            here, expected = bin_folder, "./launcher"
        case "other":  # another launcher is on the path
            path = install(path / "bin").parent
    lines = said(*started, path=path, here=here)
    assert lines[0] == f"{expected} {REST}"
    assert lines[1].endswith("-m pip install 'a>1'")
    assert said("sh", "-c", lines[0], path=path, here=here) == lines


def test_a_launcher_without_a_program_is_a_module(tmp_path: Path) -> None:
    python = install(tmp_path / "bin", program=False)
    first, pip, other = said(python, "-c", SAY, path=tmp_path / "none", here=tmp_path)
    assert first == f"bin/python -m launcher {REST}"
    assert pip == "bin/python -m pip install 'a>1'"
    assert other == "hf"


def test_a_path_that_begins_like_something_else_stays_a_path() -> None:
    said = command("presets", Path("~root"), Path("-x.yaml"), "-x", presets=[Path("~root/a")])
    assert said.endswith(" presets './~root' ./-x.yaml -x --presets './~root/a'")
