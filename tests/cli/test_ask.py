"""``launcher ask`` with the scripted engine in a real worker process: what goes where, and what is left
behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Launch, Start


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a picture.png"
    Image.new("RGB", (8, 8), "red").save(path)
    return path


def test_the_answer_alone_is_on_standard_output(launch: Launch, scripted: Path) -> None:
    done = launch("ask", "scripted", "--presets", str(scripted), "/say 5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 1 2 3 4 \n", "")


def test_json_is_one_object(launch: Launch, scripted: Path) -> None:
    done = launch("ask", "scripted", "--presets", str(scripted), "--json", "一 二 three")
    answer = json.loads(done.stdout)
    assert list(answer) == [
        "model", "text", "finish_reason", "prompt_tokens", "picture_tokens", "new_tokens",
        "first_token_s", "total_s",
    ]  # fmt: skip
    assert (answer["model"], answer["text"], answer["finish_reason"]) == ("scripted", "一 二 three ", "stop")
    assert (answer["prompt_tokens"], answer["new_tokens"]) == (3, 3)
    assert 0 <= answer["first_token_s"] <= answer["total_s"]


def test_the_length_is_bounded_by_option_and_preset(launch: Launch, scripted: Path) -> None:
    done = launch(
        "ask", "scripted", "--presets", str(scripted), "--json", "--max-new-tokens", "3", "/endless"
    )
    assert (json.loads(done.stdout)["text"], json.loads(done.stdout)["finish_reason"]) == ("0 1 2 ", "length")
    scripted.write_text(
        scripted.read_text(encoding="utf-8") + "generation: {max_new_tokens: 4}\n", encoding="utf-8"
    )
    assert launch("ask", "scripted", "--presets", str(scripted), "/endless").stdout == "0 1 2 3 \n"


def test_pictures_go_along_in_order(launch: Launch, scripted: Path, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(picture)
    other = tmp_path / "other.jpg"
    Image.new("RGB", (8, 8)).save(other)
    arguments = ("--image", "other.jpg", "--image", "link.png")
    done = launch("ask", "scripted", "--presets", str(scripted), *arguments, "/say 1")
    assert done.stdout == "[other.jpg] [a picture.png] 0 \n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--image", "gone.png", "hi"), 6, "There is no file gone.png"),
        (("--image", "scripted.yaml", "hi"), 6, "scripted.yaml is not a picture that can be read"),
        (("  ",), 7, "The question is empty"),
        (("/fail on purpose",), 8, "The script failed: on purpose"),
        (("/crash 3",), 8, "exit code 3"),
    ],
    ids=["no file", "no picture", "no question", "engine error", "engine dies"],
)
def test_what_fails_has_its_own_code(
    launch: Launch, scripted: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = launch("ask", "scripted", "--presets", str(scripted), *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("launcher: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_letters_that_the_terminal_lacks_do_no_harm(launch: Launch, scripted: Path) -> None:
    done = launch("ask", "scripted", "--presets", str(scripted), "红色 red", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "?? red \n")
    done = launch("ask", "scripted", "--presets", str(scripted), os.fsdecode(b"caf\xe9"))
    assert (done.returncode, done.stderr.splitlines()[0]) == (7, "launcher: The question is not UTF-8 text")


def test_a_text_model_takes_no_pictures(launch: Launch, scripted: Path, picture: Path) -> None:
    scripted.write_text(scripted.read_text(encoding="utf-8").replace("vision", "text"), encoding="utf-8")
    done = launch("ask", "scripted", "--presets", str(scripted), "--image", str(picture), "hi")
    assert (done.returncode, done.stdout) == (7, "")
    assert "scripted takes no pictures" in done.stderr


def test_a_model_that_is_not_here_says_what_to_type(launch: Launch) -> None:
    done = launch("ask", "internvl2-2b", "hi")
    assert (done.returncode, done.stdout) == (3, "")
    assert "launcher pull internvl2-2b" in done.stderr.splitlines()[-1]


def test_what_came_before_a_failure_is_kept(launch: Launch, scripted: Path) -> None:
    done = launch("ask", "scripted", "--presets", str(scripted), "/say 3\n/fail later")
    assert (done.returncode, done.stdout.strip()) == (8, "0 1 2")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_no_process(start: Start, scripted: Path, number: signal.Signals, code: int) -> None:
    process = start("ask", "scripted", "--presets", str(scripted), "/say 2\n/stall")
    assert process.stdout is not None
    assert process.stdout.read(1) == b"0"
    process.send_signal(number)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (code, b"")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_reader_who_leaves_ends_it_quietly(start: Start, scripted: Path) -> None:
    process = start("ask", "scripted", "--presets", str(scripted), "/endless")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1) == b"0"
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr.read() == b""
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
