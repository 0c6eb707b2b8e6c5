"""What is printed for people fits the terminal, and a command in it can be copied."""

from __future__ import annotations

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.cli import doctor_view
from launcher.cli.paragraphs import fitted
from launcher.diagnosis import Finding, Level
from tests.cli.terminal import Terminal
from tests.launched import command_line

COLUMNS = 100
"""Of the terminal that the tests have."""
COMMAND = re.compile(r"\s*(\S*/)?(launcher|pip) .*")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


WORDS = st.lists(st.text("abc-,.模型$/{}", min_size=1, max_size=30), max_size=40).map(" ".join)


@settings(deadline=None)
@given(WORDS, st.sampled_from([40, 80, 100]), st.sampled_from([0, 9]))
def test_words_stay_whole_and_lines_short(text: str, width: int, margin: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        shown = fitted(text, Screen(), margin)
    assert shown.split() == text.split()
    assert all(len(line) <= width for line in shown.splitlines())


@settings(deadline=None)
@given(WORDS.filter(bool), WORDS.filter(bool))
def test_a_command_is_never_broken(text: str, command: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        shown = fitted(f"{text} Type: {command}", Screen())
    assert shown.endswith(command)


@settings(deadline=None)
@given(WORDS)
def test_a_pipe_gets_the_text_as_it_is(text: str) -> None:
    assert fitted(text, io.StringIO()) == text


@pytest.mark.parametrize("command", [["presets"], ["plan", "internvl2-2b", "--gpu-gib", "8"]])
def test_in_a_terminal(command: list[str], environment: dict[str, str]) -> None:
    environment.pop("COLUMNS", None)
    with TemporaryDirectory() as folder:  # short, as sockets' paths must be
        terminal = Terminal(Path(folder), command_line(*command), environment)
        try:
            lines = terminal.wait_for(lambda lines: bool(lines) and lines[-1].startswith("ended with"))
        finally:
            terminal.close()
    assert len(lines) > 5
    too_long = [line for line in lines if len(line) > COLUMNS and not COMMAND.fullmatch(line)]
    assert too_long == []


def test_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", screen := Screen())
    monkeypatch.setenv("COLUMNS", "80")
    text, mend = "is not here. " * 20, f"To have it, type: launcher pull {'a' * 90}"
    doctor_view.show([Finding("model a", Level.WARNING, text, mend)], 0)
    lines = re.sub("\x1b.*?m", "", screen.getvalue()).splitlines()
    assert [line for line in lines if len(line) > 80] == [f"         launcher pull {'a' * 90}"]
    assert {line[:9].strip() for line in lines[1:-2]} == {""}
