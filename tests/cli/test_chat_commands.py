"""Reading a line of the chat: what is a question stays as typed, what is a command is that command, and
nothing else happens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.cli.chat_commands import (
    HELP,
    AddPicture,
    Ask,
    Clear,
    Command,
    End,
    Save,
    SetOption,
    SetSystem,
    ShowHelp,
    ShowStats,
    changed,
    parse,
)
from launcher.errors import RequestError
from launcher.messages import GenerationOptions
from launcher.presets import GenerationSettings
from launcher.settings import OPTION_NAMES

OPTIONS = GenerationOptions()
SEEDS = "It is a whole number from 0 to 9223372036854775807, or -1, which draws every answer anew."


@given(st.text().filter(lambda text: text.strip() not in ("", "exit") and not text.startswith("/")))
def test_a_question_stays_as_it_was_typed(text: str) -> None:
    assert parse(text) == Ask(text)


@given(st.text())
def test_any_line_is_read_or_refused(text: str) -> None:
    try:
        command = parse(text)
    except RequestError as refused:
        error: RequestError | None = refused
    else:
        error = None
        assert (command is None) == (not text.strip())
    assert error is None or (text.startswith("/") and bool(error.message) and bool(error.hint))


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("exit", End()),
        ("  exit ", End()),
        ("exit now", Ask("exit now")),
        ("quit the job? ", Ask("quit the job? ")),
        (" /clear", Ask(" /clear")),
        ("/clear\n", Clear()),
        ("/clear ", Clear()),
        ("/clear\nand more", Ask("/clear\nand more")),
        ("/stats", ShowStats()),
        ("/help", ShowHelp()),
        ("/image cat.png", AddPicture("cat.png")),
        ("/image   a cat.png  ", AddPicture("a cat.png")),
        ("/image 'a cat.png'", AddPicture("a cat.png")),
        ('/image "a cat.png"', AddPicture("a cat.png")),
        ("/image a\\ cat\\(1\\).png", AddPicture("a cat(1).png")),
        ("/image 图.png", AddPicture("图.png")),
        ("/save talk.md", Save("talk.md")),
        ("/system Be brief. ", SetSystem("Be brief.")),
        ("/system", SetSystem("")),
        ("/set", SetOption()),
        ("/set temperature 0.2", SetOption("temperature", "0.2")),
        ("/set  temperature   0.2 ", SetOption("temperature", "0.2")),
    ],
    ids=repr,
)
def test_what_a_line_asks_for(typed: str, command: Command) -> None:
    assert parse(typed) == command


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("/imag a.png", "There is no command /imag", "Did you mean /image?"),
        ("/usr/bin?", "There is no command /usr/bin?", "a space before it"),
        ("/image", "/image needs a path", "/image PATH"),
        ("/save  ", "/save needs a path", "/save PATH"),
        ("/set temperature", "/set needs a name and a value", "/set temperature 0.2"),
        ("/clear all", "/clear takes nothing more", "Type /clear alone."),
    ],
)
def test_what_is_no_command_says_what_to_type(typed: str, message: str, hint: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse(typed)
    assert refused.value.message == message
    assert hint in refused.value.hint


def test_the_help_names_every_command() -> None:
    for usage in HELP:
        name, _, argument = usage.partition(" ")
        assert not isinstance(parse(f"{name} temperature 1" if argument else name), Ask)


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("temperature", "0.2", 0.2),
        ("temperature", "2", 2.0),
        ("top_p", "1", 1.0),
        ("top_k", "0", 0),
        ("max_new_tokens", "32768", 32768),
        ("repetition_penalty", "1.5", 1.5),
        ("seed", "7", 7),
        ("seed", "none", None),
        ("seed", "-1", None),
        ("seed", str(2**63 - 1), 2**63 - 1),
    ],
)
def test_an_option_is_set_and_the_others_stay(name: str, value: str, becomes: float | None) -> None:
    before = replace(OPTIONS, seed=1)
    assert changed(before, SetOption(name, value)) == replace(before, **{name: becomes})


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("temperature", "2.1", "It is a number from 0 to 2."),
        ("temperature", "warm", "It is a number from 0 to 2."),
        ("temperature", "nan", "It is a number from 0 to 2."),
        ("temperature", "0.2 0.3", "It is a number from 0 to 2."),
        ("top_p", "0", "It is a number above 0, at most 1."),
        ("max_new_tokens", "1.5", "It is a whole number from 1 to 32768."),
        ("max_new_tokens", "0", "It is a whole number from 1 to 32768."),
        ("seed", "-2", SEEDS),
        ("seed", "1.5", SEEDS),
        ("seed", str(2**63), SEEDS),
        ("seed", "9" * 5000, SEEDS),
        (
            "heat",
            "1",
            "These can be set: max_new_tokens, temperature, top_p, top_k, repetition_penalty, seed",
        ),
    ],
)
def test_a_value_out_of_range_names_the_range(name: str, value: str, hint: str) -> None:
    with pytest.raises(RequestError) as refused:
        changed(OPTIONS, SetOption(name, value))
    assert refused.value.hint == hint


def test_every_option_of_a_preset_can_be_set() -> None:
    assert {*GenerationSettings.model_fields} == {*OPTION_NAMES} == {*GenerationOptions.__slots__}
