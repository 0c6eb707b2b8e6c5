"""From what is typed at `chat`, `ask` and `ask --batch` to what the engine was really asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.conftest import Launch
from tests.documents.made import pdf
from tests.ui.asked import asked, one_tile_of, read_request

PRESET_SYSTEM = "Be kind."
OWN = {
    "max_new_tokens": 300,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "repetition_penalty": 1.1,
    "seed": 5,
}
TOLD = ("system", PRESET_SYSTEM)


@pytest.fixture
def talker(scripted: Path) -> str:
    """The scripted preset with a system prompt and options of its own."""
    more = f"chat: {{system_prompt: {PRESET_SYSTEM}}}\ngeneration: {json.dumps(OWN)}\n"
    scripted.write_text(scripted.read_text(encoding="utf-8") + more, encoding="utf-8")
    return str(scripted)


def requests(standard_output: str) -> list[dict[str, Any]]:
    """All that `/asked` said, in order."""
    return [read_request(line) for line in standard_output.splitlines() if line.startswith('{"messages"')]


def test_the_presets_prompt_ones_own_none_and_the_presets_again(launch: Launch, talker: str) -> None:
    typed = (
        " /asked\n/clear\n/system 你好 <b> *x*  \\n 🦊\n /asked\n/clear\n/system\n /asked\n"
        f"/clear\n/system {PRESET_SYSTEM}\n /asked\n"
    )
    done = launch("chat", "scripted", "--presets", talker, typed=typed)
    assert (done.returncode, done.stderr) == (0, "")
    assert [request["messages"] for request in requests(done.stdout)] == [
        [TOLD, ("user", " /asked")],
        [("system", "你好 <b> *x*  \\n 🦊"), ("user", " /asked")],
        [("user", " /asked")],
        [TOLD, ("user", " /asked")],
    ]


def test_a_document_stands_for_its_pages(launch: Launch, talker: str, tmp_path: Path) -> None:
    pdf(tmp_path / "two.pdf", 2)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    arguments = ("ask", "scripted", "--presets", talker, " /asked", "--image", "two.pdf", "--image", "a.png")
    done = launch(*arguments)
    assert "two.pdf: 2 pages as pictures, one tile each" in done.stderr
    (request,) = requests(done.stdout)
    assert request["messages"][-1] == ("user", " /asked", "two-1.png", "two-2.png", "a.png")
    (line,) = [each for each in done.stdout.splitlines() if each.startswith('{"messages"')]
    assert one_tile_of(line) == ["two-1.png", "two-2.png"]
    chatted = launch(
        "chat", "scripted", "--presets", talker, typed="/image two.pdf\n /asked\n/image no.pdf\n"
    )
    (request,) = requests(chatted.stdout)
    assert request["messages"][-1] == ("user", " /asked", "two-1.png", "two-2.png")
    assert chatted.stderr.splitlines()[0] == "two.pdf: 2 pages as pictures, one tile each"
    assert "There is no file no.pdf" in chatted.stderr


def test_history_options_and_pictures_come_along(launch: Launch, talker: str, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red one.png")
    typed = (
        "one <b>&amp; *x* `y` 🦊\n/image 'red one.png'\ntwo\n/set seed 9223372036854775807\n"
        "/set temperature 0\n/set max_new_tokens 77\nthree\n /asked\n/clear\n/set seed none\n /asked\n"
    )
    done = launch("chat", "scripted", "--presets", talker, typed=typed)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = requests(done.stdout)
    assert first["messages"] == [
        TOLD,
        ("user", "one <b>&amp; *x* `y` 🦊"),
        ("assistant", "one <b>&amp; *x* `y` 🦊 "),
        ("user", "two", "red one.png"),
        ("assistant", "[red one.png] two "),
        ("user", "three"),
        ("assistant", "three "),
        ("user", " /asked"),
    ]
    options = {**OWN, "max_new_tokens": 77, "temperature": 0.0, "seed": 2**63 - 1}
    assert first["options"] == options
    assert second == {"messages": [TOLD, ("user", " /asked")], "options": {**options, "seed": None}}


def test_a_turn_without_a_word_is_not_kept_and_its_picture_waits(
    launch: Launch, talker: str, tmp_path: Path
) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    done = launch("chat", "scripted", "--presets", talker, typed=" /print 0\n/image red.png\n /asked\n")
    assert done.returncode == 0
    assert "(no answer: ask again in other words)" in done.stderr
    assert requests(done.stdout)[0]["messages"] == [TOLD, ("user", " /asked", "red.png")]


def test_one_question_is_asked_after_the_presets_prompt(launch: Launch, talker: str) -> None:
    done = launch("ask", "scripted", "--presets", talker, "--max-new-tokens", "9", "x  y\n/asked")
    assert asked(done.stdout) == {
        "messages": [TOLD, ("user", "x  y\n/asked")],
        "options": {**OWN, "max_new_tokens": 9},
    }


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "2.5", "warm"])
def test_a_temperature_that_is_none_is_refused(launch: Launch, talker: str, value: str) -> None:
    done = launch("ask", "scripted", "--presets", talker, "--temperature", value, "/asked")
    assert done.returncode in (2, 7)
    assert (done.stdout, "defect" in done.stderr, "failed" in done.stderr) == ("", False, False)
    assert "temperature" in done.stderr


def test_a_batchs_lines_may_have_halves_of_characters_and_no_constants_that_are_not_json(
    launch: Launch, talker: str, tmp_path: Path
) -> None:
    lines = [
        r'{"question": "a\ud800b\u0000 \ud83e\udd8a\n/asked"}',
        '{"question": "x", "id": NaN}',
        r'{"question": "\udcff\n/asked", "id": "\ud800"}',
        "[" * 100_000,
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = launch("ask", "scripted", "--presets", talker, "--batch", "q.jsonl")
    assert (done.returncode, done.stderr) == (7, "")
    first, second, third, fourth = map(json.loads, done.stdout.splitlines())
    assert asked(first["text"])["messages"] == [TOLD, ("user", "a\ufffdb\ufffd 🦊\n/asked")]
    assert "Line 2 cannot be used: Invalid JSON: NaN" in second["error"]["message"]
    assert asked(third["text"])["messages"] == [TOLD, ("user", "\ufffd\n/asked")]
    assert "Line 4 cannot be used: Invalid JSON" in fourth["error"]["message"]


@pytest.mark.parametrize(("wanted", "finish"), [(10, "length"), (62, "length"), (300, "session_full")])
def test_an_answer_that_was_cut_off_says_by_what(
    launch: Launch, scripted: Path, wanted: int, finish: str
) -> None:
    """A session of 64 tokens: `/say 500` is two words, so 62 are left."""
    own = f"memory: {{session_tokens: 64}}\ngeneration: {{max_new_tokens: {wanted}}}\n"
    scripted.write_text(scripted.read_text(encoding="utf-8") + own, encoding="utf-8")
    arguments = ("--presets", str(scripted))
    told = launch("ask", "scripted", *arguments, "--json", "/say 500")
    data = json.loads(told.stdout)
    assert (data["finish_reason"], data["new_tokens"]) == (finish, min(wanted, 62))
    asked_plainly = launch("ask", "scripted", *arguments, "/say 500")
    chatted = launch("chat", "scripted", *arguments, typed=" /say 500\n")
    for done, longer, anew in (
        (asked_plainly, "--max-new-tokens", "shorten the question"),
        (chatted, "/set max_new_tokens", "/clear begins anew"),
    ):
        assert done.returncode == 0
        if finish == "length":
            assert done.stderr == f"(cut off at the longest answer: {longer})\n"
        else:
            assert done.stderr == f"(cut off: the model's session of 64 tokens is full: {anew})\n"
