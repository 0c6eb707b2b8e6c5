"""What shells are told when Tab is pressed."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from launcher.cli.app import app
from tests.cli.conftest import Launch


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("launcher ch", {"chat"}),
        ("launcher ask tin", {"tiny-chat"}),
        ("launcher plan internlm2", {"internlm2-chat-1_8b"}),
        ("launcher pull internlm2", {"internlm2-chat-1_8b"}),
        ("launcher chat shapes-", {"shapes-internvl2", "shapes-xcomposer2"}),
        ("launcher ask tiny-chat --ba", {"--batch"}),
    ],
)
def test_commands_presets_and_options_are_offered(launch: Launch, words: str, offered: set[str]) -> None:
    done = launch(
        _LAUNCHER_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1)
    )
    assert (done.returncode, set(done.stdout.split())) == (0, offered)


@pytest.mark.parametrize(
    ("shell", "its_own"),
    [
        ("bash", "complete -o default -F"),
        ("zsh", "#compdef launcher"),
        ("fish", "complete --command launcher"),
        ("pwsh", "Register-ArgumentCompleter"),
    ],
)
def test_a_script_for_each_shell_whichever_started_the_launcher(
    launch: Launch, shell: str, its_own: str
) -> None:
    done = launch("--show-completion", shell)
    assert done.returncode == 0
    assert its_own in done.stdout
    assert "_LAUNCHER_COMPLETE" in done.stdout


def test_a_named_shell_is_taught(launch: Launch, tmp_path: Path) -> None:
    done = launch("--install-completion", "fish", HOME=str(tmp_path))
    assert done.returncode == 0
    taught = tmp_path / ".config/fish/completions/launcher.fish"
    assert "_LAUNCHER_COMPLETE" in taught.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_a_shell_that_is_not_known_is_asked_for(launch: Launch, option: str) -> None:
    done = launch(option, "csh")
    assert done.returncode == 2
    assert f"launcher {option} bash" in done.stderr


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_where_no_shell_started_the_launcher_its_name_is_asked_for(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, whose processes may all have been started by its runtime."""
    for module in ("completion", "_completion_shared"):
        monkeypatch.setattr(f"typer.{module}._get_shell_name", lambda: None)
    with pytest.raises(typer.BadParameter, match=f"launcher {option} bash"):
        typer.main.get_command(app)([option], prog_name="launcher", standalone_mode=False)
