"""``launcher ask``: questions from a file and from standard input, held to tiny-chat's known answers."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.demo.conversations import CHAT_KINDS, ChatTurn, draw_conversation, right
from launcher.demo.known_answers import HELD_OUT_START
from launcher.demo.wordings import LANGUAGES
from launcher.presets.places import BUILTIN_PICTURES
from tests.cli.conftest import Launch, Start

FOR_EACH_KIND = 18
"""Questions of each kind in each language: 324 in all."""

LEAST_SHARE = 0.97


def held_out_questions() -> Iterator[ChatTurn]:
    """Conversations of one turn that training never saw."""
    for kind, language in itertools.product(CHAT_KINDS, LANGUAGES):
        drawn = (
            draw_conversation(HELD_OUT_START + 70_000 + index, language, kind) for index in itertools.count()
        )
        yield from itertools.islice((turns[0] for turns in drawn if len(turns) == 1), FOR_EACH_KIND)


def write_lines(file: Path, lines: list[dict[str, Any]]) -> str:
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return str(file)


def read_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_tiny_chat_is_right_on_its_known_answers(launch: Launch, tmp_path: Path) -> None:
    turns = list(held_out_questions())
    assert len(turns) == FOR_EACH_KIND * len(CHAT_KINDS) * len(LANGUAGES)
    file = write_lines(
        tmp_path / "q.jsonl", [{"id": number, "question": turn.text} for number, turn in enumerate(turns)]
    )
    done = launch("ask", "tiny-chat", "--batch", file)
    assert (done.returncode, done.stderr) == (0, "")
    answers = read_lines(done.stdout)
    assert [answer["id"] for answer in answers] == list(range(len(turns)))
    wrong = [
        (turn.text, answer["text"])
        for turn, answer in zip(turns, answers, strict=True)
        if not right(turn, answer["text"])
    ]
    assert 1 - len(wrong) / len(turns) >= LEAST_SHARE, wrong


def test_questions_are_answered_side_by_side(launch: Launch, scripted: Path, tmp_path: Path) -> None:
    """The first waits for the second: one after the other they would wait for ever."""
    os.mkfifo(tmp_path / "gate")
    file = write_lines(
        tmp_path / "q.jsonl", [{"question": "/wait gate\nfirst"}, {"question": "/open gate\nsecond"}]
    )
    done = launch("ask", "scripted", "--presets", str(scripted), "--batch", file)
    assert [answer["text"].strip() for answer in read_lines(done.stdout)] == ["first", "second"]


def test_many_more_than_are_open_at_once_stay_in_order(
    launch: Launch, scripted: Path, tmp_path: Path
) -> None:
    count = 700
    file = write_lines(tmp_path / "q.jsonl", [{"question": f"n{number}"} for number in range(count)])
    done = launch("ask", "scripted", "--presets", str(scripted), "--batch", file)
    assert done.returncode == 0
    assert [answer["text"].strip() for answer in read_lines(done.stdout)] == [
        f"n{number}" for number in range(count)
    ]


def test_a_line_that_fails_has_an_error_in_its_place(launch: Launch, scripted: Path, tmp_path: Path) -> None:
    lines = [
        '\ufeff{"question": "one", "id": {"any": ["thing"]}}',
        "",
        "{",
        '{"question": 7}',
        '{"question": "x", "picture": "a.png"}',
        '{"question": "x", "images": ["none.png"], "id": "gone"}',
        '{"question": "x", "images": ["https://a.invalid/b.png"]}',
        '{"question": " "}',
        '{"question": "/fail on purpose"}',
        '{"question": "last"}',
    ]
    (tmp_path / "q.jsonl").write_text("\r\n".join(lines), encoding="utf-8")
    done = launch("ask", "scripted", "--presets", str(scripted), "--batch", "q.jsonl")
    assert (done.returncode, done.stderr) == (7, "")
    answers = read_lines(done.stdout)
    assert [answer["line"] for answer in answers] == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert (answers[0]["id"], answers[0]["text"]) == ({"any": ["thing"]}, "one ")
    assert (answers[-1]["text"], "id" in answers[-1]) == ("last ", False)
    told = [(answer["error"]["exit_code"], answer["error"]["message"]) for answer in answers[1:-1]]
    expected = [
        (7, "Line 3 cannot be used: Invalid JSON"),
        (7, "Line 4 cannot be used: question"),
        (7, "Line 5 cannot be used: picture"),
        (6, "There is no file none.png"),
        (6, "https://a.invalid/b.png is an address"),
        (7, "The question is empty"),
        (8, "The script failed: on purpose"),
    ]
    for (code, message), (wanted, words) in zip(told, expected, strict=True):
        assert (code, message[: len(words)]) == (wanted, words)
    assert answers[4]["id"] == "gone"


def test_nothing_is_loaded_for_a_file_in_which_no_line_can_be_asked(
    launch: Launch, scripted: Path, tmp_path: Path
) -> None:
    with scripted.open("a", encoding="utf-8") as file:
        file.write("chat:\n  system_prompt: /fail while loading\n")
    asked = ("ask", "scripted", "--presets", str(scripted), "--batch", "q.jsonl")
    (tmp_path / "q.jsonl").write_text('{\n{"question": " "}\n', encoding="utf-8")
    done = launch(*asked)
    assert (done.returncode, done.stderr) == (7, "")
    assert [line["error"]["message"][:21] for line in read_lines(done.stdout)] == [
        "Line 1 cannot be used",
        "The question is empty",
    ]
    (tmp_path / "q.jsonl").write_text('{\n{"question": "a"}\n', encoding="utf-8")
    done = launch(*asked)
    assert (done.returncode, done.stdout) == (8, "")
    assert "while loading" in done.stderr


def test_pictures_lie_beside_the_file_and_options_hold_for_all(
    launch: Launch, scripted: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "a.png").write_bytes((BUILTIN_PICTURES / "2-shapes.png").read_bytes())
    write_lines(
        folder / "q.jsonl",
        [{"question": "/say 9", "images": ["a.png", str(BUILTIN_PICTURES / "3-shapes.png")]}],
    )
    arguments = ("--batch", "elsewhere/q.jsonl", "--max-new-tokens", "2")
    (answer,) = read_lines(launch("ask", "scripted", "--presets", str(scripted), *arguments).stdout)
    assert (answer["text"], answer["finish_reason"]) == ("[a.png] [3-shapes.png] 0 1 ", "length")


def test_standard_input_is_a_question_or_a_batch(launch: Launch, scripted: Path) -> None:
    preset = ("ask", "scripted", "--presets", str(scripted))
    assert launch(*preset, "-", typed="/say 2\n两 words\n").stdout == "0 1 两 words \n"
    assert [
        answer["text"]
        for answer in read_lines(launch(*preset, "--batch", "-", typed='{"question": "a"}').stdout)
    ] == ["a "]
    done = launch(*preset, "-", typed="caf\udce9")
    assert (done.returncode, done.stderr.splitlines()[0]) == (7, "launcher: Standard input is not UTF-8 text")
    assert launch(*preset, "-", typed="\n").returncode == 7


def test_each_line_is_answered_before_the_next_is_typed(start: Start, scripted: Path) -> None:
    """Nobody's input ends, and a bad line is told at once, too."""
    process = start("ask", "scripted", "--presets", str(scripted), "--batch", "-")
    assert process.stdin is not None
    assert process.stdout is not None
    for line, text in [
        (b'{"question": "one"}\n', "one "),
        (b"{\n", None),
        (b'{"question": "two"}\n', "two "),
    ]:
        process.stdin.write(line)
        process.stdin.flush()
        assert json.loads(process.stdout.readline()).get("text") == text
    process.communicate(timeout=120)
    assert process.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_it_can_be_stopped_while_it_waits_for_a_line(
    start: Start, scripted: Path, number: signal.Signals
) -> None:
    process = start("ask", "scripted", "--presets", str(scripted), "--batch", "-")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"question": "one"}\n')
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(timeout=120) == 128 + number
    assert process.stderr is not None
    assert process.stderr.read() == b""
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_reader_who_leaves_ends_it_though_no_line_comes(start: Start, scripted: Path) -> None:
    process = start("ask", "scripted", "--presets", str(scripted), "--batch", "-")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"question": "one"}\n')
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 1
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_lines_that_are_no_questions(launch: Launch, scripted: Path, tmp_path: Path) -> None:
    """What comes back is JSON, whatever the line held."""
    lines = [
        b'{"question": "a", "id": NaN}',
        b'{"question": "a", "id": 1e999}',
        b'{"question": "a", "id": ' + b"1" * 5000 + b"}",
        b'{"question": "a", "id": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"question": "' + b"x" * (9 << 20) + b'"}',
        b'{"question": "\\ud800"}',
        b"\xff\xfe",
        b'{"question": "last"}',
    ]
    (tmp_path / "q.jsonl").write_bytes(b"\n".join(lines))
    done = launch("ask", "scripted", "--presets", str(scripted), "--batch", "q.jsonl")
    assert (done.returncode, done.stderr) == (7, "")

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    answers = [json.loads(line, parse_constant=refuse) for line in done.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == list(range(1, 9))
    # Half a character is no reason to refuse a question: it is replaced.
    assert ["error" in answer for answer in answers] == [True] * 5 + [False, True, False]
    assert "longer than the 4 MiB" in answers[4]["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("hi", "--batch", "q.jsonl"), 2, "Give a question, or a file of questions"),
        (("--batch", "q.jsonl", "--image", "a.png"), 2, "pictures stand in the file"),
        (("--batch", "none.jsonl"), 7, "none.jsonl cannot be read: No such file or directory"),
        (("--batch", "."), 7, ". cannot be read: Is a directory"),
    ],
    ids=["both", "pictures", "no file", "folder"],
)
def test_what_cannot_begin_says_why(
    launch: Launch, scripted: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = launch("ask", "scripted", "--presets", str(scripted), *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in " ".join(done.stderr.split())


def test_stopping_a_batch_leaves_no_process(start: Start, scripted: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [{"question": "first"}, {"question": "/stall"}])
    process = start("ask", "scripted", "--presets", str(scripted), "--batch", file)
    assert process.stdout is not None
    assert b"first" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, b"")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
