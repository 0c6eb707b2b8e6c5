"""A model on a server from the terminal: the list of presets, the doctor, plan, pull, and known answers of a
built-in model of another launcher by ``ask`` and ``chat``."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from launcher.demo.known_answers import held_out_cases
from launcher.demo.pictures import encode
from tests.cli.conftest import Launch, Start
from tests.endpoints.bad_server import MODELS, bad_server, error, reply

CASES = list(islice(held_out_cases(3, reword=False), 4))


def preset(folder: Path, url: str, model: str, more: str = "") -> str:
    file = folder / "far.yaml"
    file.write_text(
        "name: far\ntitle: Far\nkind: vision\nengine:\n  openai:\n"
        f"    url: {url}\n    model: {model}\n{more}",
        encoding="utf-8",
    )
    return str(file)


def test_the_list_says_where_it_is_and_what_goes_there(launch: Launch, tmp_path: Path) -> None:
    file = preset(tmp_path, "http://127.0.0.1:9/v1", "polly")
    done = launch("presets", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split() == ["far", "-", "-", "openai", "ready"]
    assert "far: polly at http://127.0.0.1:9/v1. Questions and pictures go to that server." in done.stdout
    (found,) = json.loads(launch("presets", "--json", file).stdout)
    assert (found["device"], found["engine"], found["folder"]) == ("remote", "openai", None)
    assert found["server"] == {"url": "http://127.0.0.1:9/v1", "model": "polly", "key_env": ""}


def test_a_key_that_is_not_there_is_named(launch: Launch, tmp_path: Path) -> None:
    file = preset(tmp_path, "http://127.0.0.1:9/v1", "polly", "    key_env: POLLYS_KEY\n")
    assert "needs a key" in launch("presets", file).stdout
    done = launch("ask", "far", "--presets", file, "hello")
    assert done.returncode == 2
    assert "environment variable POLLYS_KEY, which is not set" in done.stderr
    assert "export POLLYS_KEY=" in done.stderr
    assert "needs a key" not in launch("presets", file, POLLYS_KEY="x").stdout


def test_plan_pull_and_quantize_leave_it_to_the_server(launch: Launch, tmp_path: Path) -> None:
    file = preset(tmp_path, "http://127.0.0.1:9/v1", "polly")
    for command in ("plan", "pull", "quantize"):
        done = launch(command, "far", "--presets", file)
        assert done.returncode == 3
        assert "far runs on the server at http://127.0.0.1:9/v1" in done.stderr


@pytest.mark.parametrize(
    ("answer", "model", "code", "words"),
    [
        (reply("200 OK", MODELS), "polly", 0, "ready with openai on {url}, which has polly, molly"),
        (reply("200 OK", MODELS), "milly", 8, "has no model milly"),
        (error("401 No", "who?"), "polly", 8, "asks for a key"),
        (error("404 No", "none"), "polly", 0, "ready with openai on {url}"),
    ],
)
def test_the_doctor_asks_the_server(
    launch: Launch, stand_ins: str, tmp_path: Path, answer: bytes, model: str, code: int, words: str
) -> None:
    with bad_server(answer) as upstream:
        url = f"http://127.0.0.1:{upstream.port}/v1"
        file = preset(tmp_path, url, model)
        arguments = ("--json", "--presets", file, "--port", str(upstream.port + 1))
        done = launch("doctor", *arguments, PYTHONPATH=stand_ins)
        assert upstream.asked == [("GET /v1/models HTTP/1.1", None)]
    findings = {each["subject"]: each for each in json.loads(done.stdout)["findings"]}
    assert words.format(url=url) in findings["model far"]["text"]
    assert findings["model far"]["level"] == ("fault" if code else "ok")
    assert code == 0 or done.returncode == code


@pytest.fixture
def endpoint(start: Start) -> Iterator[str]:
    """The built-in models, served by another launcher."""
    process = start("serve", "--no-page", "--port", "0")
    assert process.stdout is not None
    found = None
    while found is None:
        line = process.stdout.readline().decode()
        assert line
        found = re.search(r"The endpoint is at (\S+)", line)
    yield found[1]
    process.send_signal(signal.SIGTERM)
    process.communicate()


def test_known_answers_of_a_real_model(endpoint: str, launch: Launch, tmp_path: Path) -> None:
    file = preset(tmp_path, endpoint, "shapes-internvl2")
    lines = []
    for number, case in enumerate(CASES):
        (tmp_path / f"{number}.png").write_bytes(encode(case.scene))
        lines.append(json.dumps({"question": case.question.text, "images": [f"{number}.png"]}))
    (tmp_path / "q.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = launch("ask", "far", "--presets", file, "--batch", "q.jsonl")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["text"].strip() for line in done.stdout.splitlines()] == [
        case.question.answer for case in CASES
    ]
    talked = launch("chat", "far", "--presets", file, typed=f"/image 0.png\n{CASES[0].question.text}\n")
    assert CASES[0].question.answer in talked.stdout
