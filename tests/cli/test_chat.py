"""``launcher chat`` through a pipe: a line in, an answer out. Two tests ask the models that come with the
launcher; the others ask one that echoes, which is there at once."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from launcher.presets.places import BUILTIN_PICTURES
from tests.cli.conftest import Launch, Start, children_of
from tests.ui.asked import asked

NAMED = ["Nice to meet you, Ada.", "Your name is Ada."]
UNNAMED = "You have not told me your name."


def test_empty_lines_are_passed_over_and_answers_alone_are_on_standard_output(
    launch: Launch, scripted: Path
) -> None:
    done = launch("chat", "scripted", "--presets", str(scripted), typed="one\n\ntwo\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one \ntwo \n", "")


def test_a_file_whose_name_begins_with_a_tilde_is_saved_and_the_conversation_goes_on(
    launch: Launch, scripted: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    typed = "one\n/save ~draft.md\n/save ~/home.md\ntwo\n"
    done = launch("chat", "scripted", "--presets", str(scripted), typed=typed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "one \ntwo \n", "")
    assert (tmp_path / "~draft.md").read_text(encoding="utf-8") == (tmp_path / "home" / "home.md").read_text(
        encoding="utf-8"
    )


def test_commands_work_through_a_pipe_to_the_first_text_model_that_is_ready(
    launch: Launch, tmp_path: Path
) -> None:
    """Without a preset."""
    typed = (
        "My name is Ada.\nWhat is my name?\n/stats\n/save talk.md\n/clear\nWhat is my name?\n7加5等于几？\n"
        "/set max_new_tokens 3\n/set\nReverse the word stone.\nexit\nWhat is 1 + 1?\n"
    )
    done = launch("chat", typed=typed, CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stdout.splitlines()) == (0, [*NAMED, UNNAMED, "12。", "eno"])
    assert "this chat: 2 answers" in done.stderr
    assert "\nmax_new_tokens 3\n" in done.stderr
    assert "/set max_new_tokens" in done.stderr.splitlines()[-1]
    talk = (tmp_path / "talk.md").read_text(encoding="utf-8")
    turns = [f"## user\n\n{text}" if mine else f"## assistant\n\n{text}" for text, mine in _talk()]
    assert talk == "\n\n".join(["# tiny-chat", *turns]) + "\n"


def _talk() -> list[tuple[str, bool]]:
    return [("My name is Ada.", True), (NAMED[0], False), ("What is my name?", True), (NAMED[1], False)]


def test_what_fails_is_told_and_the_rest_is_answered(launch: Launch, scripted: Path, tmp_path: Path) -> None:
    scripted.write_text(scripted.read_text(encoding="utf-8").replace("vision", "text"), encoding="utf-8")
    (tmp_path / "old.md").write_text("mine", encoding="utf-8")
    typed = "/save old.md\n/image a.png\n/heat\n/save no/where.md\nthe rest\n"
    done = launch("chat", "scripted", "--presets", str(scripted), typed=typed)
    assert (done.returncode, done.stdout) == (7, "the rest \n")
    for words in (
        "There is a file old.md already",
        "scripted takes no pictures",
        "There is no command /heat",
        "no/where.md cannot be written",
    ):
        assert words in done.stderr
    assert (tmp_path / "old.md").read_text(encoding="utf-8") == "mine"


def test_a_system_prompt_is_among_what_is_set(launch: Launch, scripted: Path) -> None:
    """That the engine is given it: test_asked.py."""
    typed = "/system Be brief.\nHello!\n/set\n"
    done = launch("chat", "scripted", "--presets", str(scripted), typed=typed)
    assert (done.returncode, done.stdout) == (0, "Hello! \n")
    assert "system prompt: Be brief." in done.stderr


def test_pictures_go_with_the_question_after_them(launch: Launch, tmp_path: Path) -> None:
    two, three = BUILTIN_PICTURES / "2-shapes.png", BUILTIN_PICTURES / "3-shapes.png"
    (tmp_path / "a picture.png").write_bytes(three.read_bytes())
    typed = (
        "What colour is the star?\nHow many shapes are there?\n/clear\n"
        "/image 'a picture.png'\nHow many shapes are there?\n"
    )
    done = launch("chat", "shapes-xcomposer2", "--image", str(two), typed=typed)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, ["Red.", "Two.", "Three."], "")


def test_text_that_is_no_text_is_refused_by_its_line(launch: Launch, scripted: Path) -> None:
    done = launch("chat", "scripted", "--presets", str(scripted), typed="caf\udce9\ntwo\n")
    assert (done.returncode, done.stdout) == (7, "two \n")
    assert "Line 1 is not UTF-8 text" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("tiny-chaat",), 2, "Did you mean tiny-chat?"),
        (("internlm2-chat-1_8b",), 3, "internlm2-chat-1_8b is not on this machine"),
        (("tiny-chat", "--image", "a.png"), 7, "tiny-chat takes no pictures"),
        (("shapes-xcomposer2", "--image", "a.png"), 6, "There is no file a.png"),
        (
            ("shapes-xcomposer2", "--image", "https://a.invalid/b.png"),
            6,
            "nothing is fetched from the network unasked",
        ),
    ],
    ids=["no preset", "no weights", "text model", "no file", "address"],
)
def test_what_cannot_begin_says_why(
    launch: Launch, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = launch("chat", *arguments, typed="hi\n")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_model_that_cannot_be_loaded_ends_it(launch: Launch, scripted: Path) -> None:
    scripted.write_text(
        scripted.read_text(encoding="utf-8") + "chat: {system_prompt: '/fail on purpose'}\n", encoding="utf-8"
    )
    done = launch("chat", "scripted", "--presets", str(scripted), typed="one\n")
    assert (done.returncode, done.stdout) == (8, "")
    assert "The script failed: on purpose" in done.stderr


def test_a_model_whose_process_died_is_started_anew(start: Start, scripted: Path) -> None:
    """The conversation goes on."""
    process = start("chat", "scripted", "--presets", str(scripted))
    talk = _Piped(process)
    assert talk.ask("the first") == "the first "
    (worker,) = children_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    # The first is told that the process died, unless that was noticed before it was asked.
    said, told = process.communicate(b"again\n /asked\n")
    assert [text for _, text, *_ in asked(said.decode())["messages"][:2]] == ["the first", "the first "]
    assert (process.returncode, told) == (0, b"") or b"scripted stopped unexpectedly" in told


class _Piped:
    """A chat whose questions come one at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def ask(self, question: str) -> str:
        self._in.write(f"{question}\n".encode())
        self._in.flush()
        return self._out.readline().decode().removesuffix("\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_a_pipe_leaves_no_process(
    start: Start, scripted: Path, number: signal.Signals, code: int
) -> None:
    process = start("chat", "scripted", "--presets", str(scripted))
    assert _Piped(process).ask("one") == "one "
    process.send_signal(number)
    assert process.wait() == code
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_the_history_is_readable_by_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from launcher.cli.chat_keyboard import _history, history_file

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    _history(history_file()).append_string("secret")
    assert stat.S_IMODE(history_file().stat().st_mode) == 0o600
    assert "secret" in history_file().read_text(encoding="utf-8")


def test_a_history_that_cannot_be_kept_does_no_harm(tmp_path: Path) -> None:
    from launcher.cli.chat_keyboard import _history

    (tmp_path / "file").write_text("", encoding="utf-8")
    history = _history(tmp_path / "file" / "history")
    history.append_string("kept for this run")
    assert history.get_strings() == ["kept for this run"]
    full = _history(tmp_path / "history")
    full.append_string("\udce9")
    assert full.get_strings() == ["\udce9"]
