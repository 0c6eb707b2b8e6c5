"""``launcher bench`` as a person runs it: each of its commands for real, with the scripted engine and small
numbers. What the figures are is not looked at, but that they are there and are of what was asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate
from typer.testing import CliRunner

from launcher.bench.drawn_pictures import draw
from launcher.cli.bench import bench
from tests.cli.conftest import Launch, Start, children_of, eventually
from tests.process_files import process_file
from tests.ui.scripted_page import scripted, served
from tests.workers.stage import alive

AMOUNT = {"type": "number", "exclusiveMinimum": 0}
NUMBER = {"type": "number"}


def an_object(**properties: Any) -> dict[str, Any]:
    """Exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SPREAD = an_object(median=NUMBER, p95=NUMBER)
ENGINE = an_object(users=AMOUNT, tokens=AMOUNT, tokens_s=AMOUNT, first_token_ms=SPREAD, end_ms=SPREAD)
PAGE = an_object(
    users=AMOUNT,
    route={"enum": ["api", "browser", "openai"]},
    tokens=AMOUNT,
    tokens_s=AMOUNT,
    engine_tokens_s=AMOUNT,
    ratio=AMOUNT,
    first_token_delay_ms=SPREAD,
    end_delay_ms=SPREAD,
)
SWITCH = an_object(
    model={"type": "string"}, first_text_s=AMOUNT, all_s={"type": "array", "items": AMOUNT, "minItems": 1}
)
START = an_object(
    model={"const": "scripted"},
    page_s=AMOUNT,
    first_answer_s=AMOUNT,
    help_s=AMOUNT,
    interpreter_s=AMOUNT,
    help_ratio=AMOUNT,
)
IDLE = an_object(
    pages={"const": 3}, waiting={"const": 2}, seconds=AMOUNT, cpu_s={"type": "number", "minimum": 0},
    core_percent={"type": "number", "minimum": 0},
)  # fmt: skip


def a_list(items: dict[str, Any], count: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": count, "maxItems": count}


def told(done: subprocess.CompletedProcess[str], schema: dict[str, Any]) -> Any:
    """The JSON on standard output, which has this form."""
    assert (done.returncode, done.stderr) == (0, "")
    value = json.loads(done.stdout)
    validate(value, schema)
    return value


def test_engine(launch: Launch) -> None:
    arguments = ("--rate", "2000", "--tokens", "20", "--users", "2,1", "--runs", "2")
    figures = told(launch("bench", "engine", *arguments, "--json"), a_list(ENGINE, 2))
    assert [each["users"] for each in figures] == [1, 2]
    assert {each["tokens"] for each in figures} == {20}


def test_page_by_every_way_with_a_picture(launch: Launch, tmp_path: Path) -> None:
    (picture,) = draw(tmp_path, 1)
    arguments = ("--engine", "scripted", "--rate", "2000", "--tokens", "20", "--users", "1,3", "--runs", "1")
    done = launch("bench", "page", *arguments, "--image", picture.name, "--json")
    figures = told(done, a_list(PAGE, 6))
    asked = {(each["route"], each["users"]) for each in figures}
    assert asked == {(route, users) for route in ("api", "browser", "openai") for users in (1, 3)}
    assert {each["tokens"] for each in figures} == {20}


def test_page_beside_another_server(launch: Launch, tmp_path: Path) -> None:
    arguments = ("--rate", "2000", "--tokens", "20", "--users", "2", "--runs", "1", "--route", "openai")
    with served([scripted("other", tmp_path)], tmp_path) as server:
        url = f"{server.url}/v1"
        done = launch("bench", "page", *arguments, "--against", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()[2:]] == [["openai", "2"], [url, "2"]]
    gone = launch("bench", "page", *arguments, "--against", url)
    assert gone.returncode == 8
    assert "The page gave no answer" in gone.stderr


def test_page_with_a_long_conversation_goes_every_way_but_the_tabs_endpoint(launch: Launch) -> None:
    arguments = ("--rate", "2000", "--tokens", "20", "--users", "2", "--runs", "1")
    done = launch("bench", "page", *arguments, "--turns", "3", "--pictures", "2")
    assert (done.returncode, done.stderr) == (0, "")
    title, headings, *lines = done.stdout.splitlines()
    assert title == "scripted, 2000 tokens/s"
    assert headings.split()[:3] == ["route", "users", "tokens/s"]
    assert [line.split()[:2] for line in lines] == [["browser", "2"], ["openai", "2"]]


def test_switch_asks_models_that_sleep(launch: Launch) -> None:
    figures = told(launch("bench", "switch", "--rounds", "2", "--json"), a_list(SWITCH, 2))
    assert [each["model"] for each in figures] == ["one", "two"]
    assert [len(each["all_s"]) for each in figures] == [2, 2]


def test_switch_says_when_models_do_not_sleep(launch: Launch, tmp_path: Path) -> None:
    """Small models on the CPU: nobody makes room for another."""
    for name in ("a", "b"):
        text = f"name: {name}\ntitle: T\nkind: text\nsources: builtin:tiny-chat\nengine: transformers\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    done = launch("bench", "switch", "a", "b", "--presets", str(tmp_path), "--route", "api")
    assert done.returncode == 7
    assert "a does not sleep when its turn comes: it is ready, its process engaged" in done.stderr
    assert "--gpu-gib 8" in done.stderr


def test_start(launch: Launch) -> None:
    figures = told(launch("bench", "start", "--runs", "1", "--json"), START)
    assert figures["first_answer_s"] >= figures["page_s"]


def test_idle(launch: Launch) -> None:
    arguments = ("--pages", "3", "--waiting", "2", "--seconds", "0.2")
    told(launch("bench", "idle", *arguments, "--json"), IDLE)


def test_a_real_model_is_measured_by_its_preset(launch: Launch) -> None:
    arguments = ("--preset", "tiny-chat", "--tokens", "3", "--users", "1", "--runs", "1")
    (figures,) = told(launch("bench", "engine", *arguments, "--json"), a_list(ENGINE, 1))
    assert figures["tokens"] == 3


@pytest.mark.parametrize("program", ["engine", "page"])
def test_ctrl_c_leaves_no_process(start: Start, program: str) -> None:
    process = start("bench", program, "--rate", "1", "--tokens", "1000", "--users", "1")
    eventually(lambda: children_of(process.pid))
    started = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert not [pid for pid in started if alive(pid)]


def test_ctrl_c_while_the_page_answers_leaves_no_process(start: Start) -> None:
    """The page's model is a process, too, which the page has started."""
    process = start("bench", "idle", "--pages", "1", "--waiting", "1", "--seconds", "3000")
    eventually(lambda: len(descendants(process.pid)) > len(children_of(process.pid)) > 2)
    started = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert not [pid for pid in started if alive(pid)]


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    children = set(children_of(pid))
    return children.union(*map(descendants, children))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("engine", "--users", "0"), "'0' is no list of numbers from 1 to 400, such as 1,8,32."),
        (("page", "--users", "1,401"), "'1,401' is no list of numbers from 1 to 400"),
        (("engine", "--users", "1;8"), "is no list of numbers"),
        (("engine", "--preset", "tiny-chat", "--rate", "5"), "--preset names a real model"),
        (("page", "--preset", "tiny-chat", "--engine", "scripted"), "--preset names a real model"),
        (("page", "--engine", "turbomind"), "'turbomind' is not"),
        (("page", "--pictures", "3", "--turns", "2"), "--turns 3"),
        (("page", "--turns", "3", "--route", "api"), "leave --turns out"),
        (("switch", "tiny-chat", "tiny-chat"), "Name two models or more"),
        (("switch", "--gpu-gib", "8"), "Name the models"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_arguments_say_what_is_right(arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


def test_a_preset_that_there_is_not(launch: Launch) -> None:
    done = launch("bench", "page", "--preset", "tiny-cat")
    assert done.returncode == 2
    assert done.stderr == "launcher: There is no preset tiny-cat\nDid you mean tiny-chat?\n"


@pytest.mark.parametrize(
    ("image", "preset", "words"),
    [
        ("absent.png", None, "There is no file absent.png"),
        ("drawn-0.png", "tiny-chat", "tiny-chat takes no pictures"),
    ],
)
def test_pictures_that_cannot_be_asked_about(
    launch: Launch, tmp_path: Path, image: str, preset: str | None, words: str
) -> None:
    draw(tmp_path, 1)
    done = launch("bench", "engine", "--image", image, *(["--preset", preset] if preset else []))
    assert done.returncode in (6, 7)
    assert words in done.stderr


def test_a_measurement_that_dies_says_so_with_its_log(start: Start, environment: dict[str, str]) -> None:
    process = start("bench", "engine", "--rate", "1", "--tokens", "1000", "--users", "1")
    eventually(lambda: engine_of(process.pid))
    os.kill(engine_of(process.pid)[0], signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 8
    assert b"The measurement's engine stopped unexpectedly: its process ended with signal SIGKILL." in said


def engine_of(pid: int) -> list[int]:
    """The process that the bare engine runs in."""
    return [each for each in children_of(pid) if b"bench-engine" in process_file(each, "cmdline")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("engine", ("tokens/s:", "first text, whole answer:")),
        ("page", ("tokens/s, bare engine:", "ratio:", "first text later, end later:")),
        ("switch", ("first text:",)),
        ("start", ("page:", "first answer:", "help:")),
        ("idle", ("core:",)),
    ],
)
def test_help_says_what_each_figure_means(name: str, words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(bench, [name, "--help"])
    assert done.exit_code == 0
    assert all(word in done.output for word in words), done.output
