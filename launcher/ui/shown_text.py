"""What a chat bubble is given so that text is shown and never obeyed. All functions are pure.

Gradio renders a bubble as Markdown with HTML in it. A person's text is shown exactly as typed, and a model's
answer as the HTML that its Markdown means (``launcher.ui.answer_html``), with the answer itself in a comment
behind, for who copies it (``launcher.ui.copied_text``).
"""

from __future__ import annotations

import base64
import html
import re
from typing import TypedDict

from launcher.messages import well_formed
from launcher.ui.answer_html import blocks_as_html, growing_as_html, settled_length
from launcher.ui.grounding import drawn

_TYPED, _TYPED_END = '<div style="white-space: pre-wrap">', "</div>"
"""Spaces, tabs and blank lines are seen as they were typed."""

_NOT_PLAIN = re.compile(r"[!-+\-./<=>@\[-`{-~\t\n\r]")
"""What may mean something: punctuation that Markdown, HTML or formulas read, and what ends a line."""


def typed_as_shown(text: str) -> str:
    """A person's text for a bubble: shown character by character."""
    return f"{_TYPED}{_NOT_PLAIN.sub(lambda match: f'&#{ord(match[0])};', text)}{_TYPED_END}"


class GrowingAnswer:
    """An answer while it comes. What is shown extends what was shown wherever Markdown allows it, and a block
    that is complete is not read again."""

    def __init__(self) -> None:
        self._text = ""
        self._settled: list[str] = []
        self._settled_length = 0

    @property
    def text(self) -> str:
        """The answer so far, as the model gave it."""
        return self._text

    def add(self, piece: str) -> str:
        """The answer so far, for a bubble."""
        self._text += piece
        new = settled_length(self._text[self._settled_length :])
        if new:
            self._settled += blocks_as_html(self._open()[:new])
            self._settled_length += new
        return "\n\n".join([*self._settled, *growing_as_html(self._open())])

    def finished(self, rest: str) -> str:
        """The whole answer with its rest: its Markdown without HTML and without pictures, the answer behind
        it."""
        self._text += rest
        return _with_answer([*self._settled, *blocks_as_html(self._open())], self._text)

    def _open(self) -> str:
        return self._text[self._settled_length :]


class ShownTurn(TypedDict):
    """A question and its answer, each for a bubble, and the boxes that the answer names."""

    question: str
    answer: str
    boxes: str


def turn_as_shown(question: str, answer: str) -> ShownTurn:
    """A turn that has ended."""
    whole = GrowingAnswer()
    shown = whole.finished(well_formed(answer))
    return {
        "question": typed_as_shown(well_formed(question)),
        "answer": shown,
        "boxes": drawn(whole.text),
    }


def html_lines(text: str) -> str:
    """Plain text as HTML: escaped, line ends kept, and ```code``` in backticks set as code."""
    escaped = html.escape(text, quote=True).replace("\n", "<br>")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)


def _with_answer(blocks: list[str], text: str) -> str:
    """In letters and digits that no reader of Markdown, formulas or tags finds anything in."""
    answer = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    return "\n\n".join([*blocks, f"<!--answer:{answer}-->"])
