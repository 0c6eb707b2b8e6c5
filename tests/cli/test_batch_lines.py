"""What is said of a line that is no question, in a person's words: the value, and what is wrong with it."""

from __future__ import annotations

import pytest

from launcher.cli import batch
from launcher.errors import RequestError


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
        batch._read(7, line)
    message = told.value.message
    assert message.startswith("Line 7 cannot be used: ")
    assert reason in message
    assert "_Line" not in message
    assert "sys." not in message
