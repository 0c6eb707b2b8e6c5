"""``launcher chat`` in a real terminal: typed, streamed, stopped, ended."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.presets.places import BUILTIN_PICTURES
from tests.cli.conftest import children_of
from tests.cli.terminal import Terminal, at_prompt
from tests.launched import command_line
from tests.workers.stage import alive

ENDED = "ended with 0"
Open = Callable[..., Terminal]
Talk = Callable[[], Terminal]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chat-") as short:  # a socket's path has room for 107 letters
        yield Path(short)


@pytest.fixture
def opened(folder: Path, environment: dict[str, str]) -> Iterator[Open]:
    """Opens a terminal with a chat in it, and waits for its first prompt."""
    terminals: list[Terminal] = []

    def begin(*arguments: str) -> Terminal:
        if terminals:
            terminals.pop().close()
        terminal = Terminal(folder, command_line("chat", *arguments), environment)
        terminals.append(terminal)
        terminal.wait_for(at_prompt)
        return terminal

    yield begin
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def talk(opened: Open, scripted: Path) -> Talk:
    """Opens a chat with a model that echoes: a real one takes seconds to load, and only the first test is
    about it."""
    return lambda: opened("scripted", "--presets", str(scripted))


def test_typed_answered_and_ended(opened: Open) -> None:
    terminal = opened("tiny-chat")
    terminal.enter("My name is Ada.")
    terminal.wait_for_line("Nice to meet you, Ada.")
    terminal.enter("What is my name?")
    terminal.wait_for_line("Your name is Ada.")
    terminal.enter("7加5等于几？")
    lines = terminal.wait_for_line("12。")
    assert lines[lines.index("> My name is Ada.") :][:4] == [
        "> My name is Ada.",
        "Nice to meet you, Ada.",
        "> What is my name?",
        "Your name is Ada.",
    ]
    terminal.enter("exit")
    terminal.wait_for_line(ENDED)


def test_a_line_can_be_edited_and_control_d_ends(talk: Talk) -> None:
    terminal = talk()
    terminal.type("hat is 7 + 6?")
    terminal.press("BSpace", "BSpace")
    terminal.type("5?")
    terminal.press("C-a")
    terminal.type("W")
    terminal.wait_for_line("> What is 7 + 5?")
    terminal.accept()
    terminal.wait_for_line("What is 7 + 5?")
    terminal.wait_for(at_prompt)
    terminal.press("C-d")
    terminal.wait_for_line(ENDED)


def test_history_outlives_the_program(talk: Talk) -> None:
    terminal = talk()
    terminal.enter("said before")
    terminal.wait_for_line("said before")
    terminal.enter("exit")
    terminal.wait_for_line(ENDED)
    terminal = talk()
    terminal.press("Up", "Up")
    terminal.wait_for_line("> said before")
    terminal.accept()
    terminal.wait_for_line("said before")


def test_commands_and_paths_are_completed(talk: Talk, folder: Path) -> None:
    terminal = talk()
    terminal.type("/st")
    terminal.press("Tab")
    terminal.wait_for_line("> /stats")
    terminal.accept()
    terminal.wait_for_line("No answer has been completed yet.")
    (folder / "a-long-name.md").touch()
    terminal.type("/save a-lo")
    terminal.press("Tab")
    terminal.wait_for_line("> /save a-long-name.md")
    terminal.accept()
    terminal.wait_for_line("launcher: There is a file a-long-name.md already")


def test_an_answer_is_shown_as_it_comes_and_pasted_lines_stay_together(opened: Open, scripted: Path) -> None:
    os.mkfifo(scripted.parent / "gate")
    terminal = opened("scripted", "--presets", str(scripted))
    terminal.paste("the first words\n/wait gate\nthe rest")
    terminal.wait_for_line("  the rest")
    terminal.accept()
    lines = terminal.wait_for_line("the first words")
    assert lines[-1] == "the first words"
    with (scripted.parent / "gate").open("wb"):
        terminal.wait_for_line("the first words the rest")
    terminal.wait_for(at_prompt)


def test_control_c_stops_the_answer_and_not_the_program(talk: Talk) -> None:
    terminal = talk()
    terminal.paste("begun\n/stall")
    terminal.accept()
    terminal.wait_for_line("begun")
    terminal.press("C-c")
    terminal.wait_for_line("(stopped)")
    terminal.wait_for(at_prompt)
    terminal.enter("and on")
    terminal.wait_for_line("and on")
    terminal.enter("/save talk.md")
    terminal.enter("exit")
    terminal.wait_for_line(ENDED)


def test_control_c_stops_an_answer_before_its_first_word(talk: Talk) -> None:
    """What was stopped is no part of the conversation."""
    terminal = talk()
    (worker,) = children_of(terminal.process())
    os.kill(worker, signal.SIGSTOP)
    terminal.enter("My name is Ada.")
    terminal.press("C-c")
    terminal.wait_for_line("(stopped)")
    os.kill(worker, signal.SIGCONT)
    terminal.enter(" /asked")
    lines = terminal.wait_for_line("```")
    asked = "".join(lines[lines.index("```json") :])
    assert '"/asked"' in asked.replace(" ", "")
    assert "Ada" not in asked
    terminal.enter("exit")
    terminal.wait_for_line(ENDED)


def test_control_c_empties_the_prompt(talk: Talk) -> None:
    terminal = talk()
    terminal.type("What is")
    terminal.wait_for_line("> What is")
    terminal.press("C-c")
    terminal.wait_for_line("exit or Ctrl-D ends.")
    terminal.enter("What was?")
    terminal.wait_for_line("What was?")


def test_a_picture_waits_before_the_prompt(opened: Open, scripted: Path) -> None:
    picture = str(BUILTIN_PICTURES / "2-shapes.png")
    terminal = opened("scripted", "--presets", str(scripted), "--image", picture)
    terminal.wait_for_line("[2-shapes.png] >")
    terminal.enter("with it")
    terminal.wait_for_line("[2-shapes.png] with it")
    terminal.wait_for_line(">")
    terminal.enter(f"/image {BUILTIN_PICTURES / 'none.png'}")
    said = "launcher: There is no file none.png in "
    terminal.wait_for(lambda lines: any(line.startswith(said) for line in lines))
    terminal.enter("without it")
    terminal.wait_for_line("without it")


def test_being_terminated_leaves_the_terminal_usable_and_no_process(talk: Talk) -> None:
    terminal = talk()
    program = terminal.process()
    (worker,) = children_of(program)
    os.kill(program, signal.SIGTERM)
    terminal.wait_for_line("ended with 143")
    assert not alive(worker)
    terminal.type("echoed")
    terminal.press("Enter")
    terminal.wait_for_line(
        "echoed", times=2
    )  # by the terminal, and by cat: line editing is the terminal's again


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGQUIT, 131)])
def test_other_signals_leave_no_process_and_no_file(talk: Talk, number: signal.Signals, code: int) -> None:
    """While an answer comes."""
    terminal = talk()
    program = terminal.process()
    (worker,) = children_of(program)
    terminal.paste("begun\n/stall")
    terminal.accept()
    terminal.wait_for_line("begun")
    os.kill(program, number)
    terminal.wait_for_line(f"ended with {code}")
    assert not alive(worker)


@pytest.mark.parametrize("term", ["", "dumb", "none-such"])
def test_a_terminal_that_nobody_knows(
    folder: Path, environment: dict[str, str], scripted: Path, term: str
) -> None:
    """``env`` sets it: tmux would say its own."""
    words = ["env", f"TERM={term}", *command_line("chat", "scripted", "--presets", str(scripted))]
    terminal = Terminal(folder, words, environment)
    try:
        terminal.wait_for(lambda lines: any(">" in line for line in lines[1:]))
        terminal.type("hello")
        terminal.press("Enter")
        terminal.wait_for(lambda lines: "hello" in lines)
        terminal.type("exit")
        terminal.press("Enter")
        terminal.wait_for_line(ENDED)
        assert not any("Traceback" in line or "defect" in line for line in terminal.lines())
    finally:
        terminal.close()


def test_what_a_model_says_cannot_steer_the_terminal(talk: Talk) -> None:
    terminal = talk()
    terminal.paste("a\x1b[2Jb")
    terminal.accept()
    terminal.wait_for(lambda lines: any(line.startswith("a\ufffd[2Jb") for line in lines))
