"""A command that is forked is like one that is typed, and has nothing of the one before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.checkpoints.locating import BUILTIN
from tests.cli.fork_server import ForkServer


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["presets", "--json"], ["ask", "no-such-preset", "x"], ["ask", "tiny-chat", "-"]],
    ids=" ".join,
)
def test_it_does_what_a_typed_one_does(
    fork_server: ForkServer, environment: dict[str, str], tmp_path: Path, arguments: list[str]
) -> None:
    forked = fork_server.run(arguments, tmp_path, environment, None)
    typed = subprocess.run(
        [sys.executable, "-m", "launcher", *arguments],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (forked.returncode, forked.stdout, forked.stderr) == (typed.returncode, typed.stdout, typed.stderr)


def test_each_has_its_own_folder_and_environment(
    fork_server: ForkServer, environment: dict[str, str], tmp_path: Path
) -> None:
    preset = "name: {0}\ntitle: T\nkind: text\nsources: ['${{OWN}}']\n"
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "preset.yaml").write_text(preset.format(f"named-{number}"), encoding="utf-8")
    check, checkpoint = ["presets", "preset.yaml"], str(BUILTIN / "tiny-chat")
    first = fork_server.run(check, tmp_path / "1", environment | {"OWN": checkpoint}, None)
    second = fork_server.run(check, tmp_path / "2", environment, None)
    words = first.stdout.splitlines()[1].split()
    assert (words[0], words[-1]) == ("named-1", "ready")
    assert "named-2 is not on this machine. Looked for it at ${OWN}" in second.stdout


def test_a_command_that_a_test_gives_up_leaves_nothing_to_the_next(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ForkServer()
    told, answers = ForkServer._told, 0

    def interrupted(self: ForkServer) -> int:
        nonlocal answers
        answers += 1
        if answers == 2:
            raise KeyboardInterrupt
        return told(self)

    monkeypatch.setattr(ForkServer, "_told", interrupted)
    with pytest.raises(KeyboardInterrupt):
        server.run(["--version"], tmp_path, environment, None)
    assert server.run(["--version"], tmp_path, environment, None).returncode == 0
    server.close()
