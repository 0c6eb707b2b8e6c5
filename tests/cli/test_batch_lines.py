"""What is said of a line that is no question, in a person's words: the value, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cli.batch import Batch
from launcher.cli.batch_lines import read_line
from launcher.cli.picture_files import PictureFiles
from launcher.errors import RequestError
from launcher.presets import read_presets


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[]", "[] is no JSON object"),
        (b'"x"', '"x" is no JSON object'),
        (b"null", "null is no JSON object"),
        (b"{}", "question is missing"),
        (b'{"question": 5}', "question is 5: "),
        (b'{"question": "a", "images": "b.png"}', 'images is "b.png": '),
        (b'{"question": "a", "images": [null]}', "images.0 is null: "),
        (b'{"question": "a", "temperature": 1}', "temperature is an unknown key"),
        (b'{"question": "a", "id": ' + b"9" * 5000 + b"}", "a number has more than 4300 digits"),
        (b'{"question": "a", "id": 1e999}', "Invalid JSON: Out of range"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"\xff\xfe{", "Invalid JSON"),
        (b"question: a", "Invalid JSON"),
    ],
)
def test_a_line_that_is_no_question(line: bytes, reason: str) -> None:
    with pytest.raises(RequestError) as told:
        read_line(7, line)
    message = told.value.message
    assert message.startswith("Line 7 cannot be used: ")
    assert reason in message
    assert "of Line" not in message
    assert "sys." not in message


def test_how_many_lines_cannot_be_asked_is_known_without_a_model() -> None:
    (tiny_chat,) = [each for each in read_presets().presets if each.name == "tiny-chat"]
    asked = Batch(tiny_chat, tiny_chat.generation.options(), PictureFiles(), Path())
    lines = [b'{"question": "a"}', b"", b"{}", b'{"question": ""}', b'{"question": "a", "images": ["b.png"]}']
    judged = asked.judged([*lines, RequestError("It is too long", "Divide it.")])
    assert (judged.right, judged.wrong) == (1, 4)
    assert judged.remark == "4 of 5 lines cannot be asked, line 3 first: question is missing"
    assert asked.judged([b'{"question": "a"}']).remark == ""
    assert asked.judged([b'{"question": ""}']).remark.endswith("line 1 first: The question is empty")
