"""What shells are told when Tab is pressed."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(launch: Launch, shell: str) -> None:
    done = launch("--show-completion", shell)
    assert done.returncode == 0
    assert "_LAUNCHER_COMPLETE" in done.stdout
