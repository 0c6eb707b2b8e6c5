"""What a chat bubble is given so that text is shown and never obeyed, and the way back to the text itself.

Gradio renders a bubble as Markdown with HTML in it. A person's text is shown exactly as typed, and a model's
answer as the HTML that its Markdown means (``launcher.ui.answer_html``), with the answer itself in a comment
behind. Both are exact inverses of each other, so that the page's history is the conversation and the server
keeps none. All functions are pure.
"""

from __future__ import annotations

import base64
import html
import re

from launcher.ui.answer_html import blocks_as_html, growing_as_html, settled_length

_TYPED, _TYPED_END = '<div style="white-space: pre-wrap">', "</div>"
"""Spaces, tabs and blank lines are seen as they were typed."""

_NOT_PLAIN = re.compile(r"[!-+\-./<=>@\[-`{-~\t\n\r]")
"""What may mean something: punctuation that Markdown, HTML or formulas read, and what ends a line."""

_GIVEN = re.compile(r"<!--answer:([A-Za-z0-9+/=]*)-->\Z")


def typed_as_shown(text: str) -> str:
    """A person's text for a bubble: shown character by character."""
    return f"{_TYPED}{_NOT_PLAIN.sub(lambda match: f'&#{ord(match[0])};', text)}{_TYPED_END}"


def typed_as_given(shown: str) -> str:
    """The text that ``typed_as_shown`` was given."""
    inner = shown.removeprefix(_TYPED).removesuffix(_TYPED_END)
    return re.sub(r"&#(\d{1,3});", lambda entity: chr(int(entity[1])), inner)


def answer_as_shown(text: str) -> str:
    """A model's answer for a bubble: its Markdown without HTML and without pictures, the answer behind it."""
    return _with_answer(blocks_as_html(text), text)


def answer_as_given(shown: str) -> str:
    """The text that ``answer_as_shown`` was given; nothing if it is none of its texts."""
    found = _GIVEN.search(shown)
    return base64.b64decode(found[1]).decode("utf-8", "surrogatepass") if found else ""


class GrowingAnswer:
    """An answer while it comes. What is shown extends what was shown wherever Markdown allows it, and a block
    that is complete is not read again."""

    def __init__(self) -> None:
        self._text = ""
        self._settled: list[str] = []
        self._settled_length = 0

    def add(self, piece: str) -> str:
        """The answer so far, for a bubble; it cannot be turned back yet."""
        self._text += piece
        new = settled_length(self._text[self._settled_length :])
        if new:
            self._settled += blocks_as_html(self._open()[:new])
            self._settled_length += new
        return "\n\n".join([*self._settled, *growing_as_html(self._open())])

    def finished(self) -> str:
        """The whole answer as ``answer_as_shown`` has it."""
        return _with_answer([*self._settled, *blocks_as_html(self._open())], self._text)

    def _open(self) -> str:
        return self._text[self._settled_length :]


def html_lines(text: str) -> str:
    """Plain text as HTML: escaped, line ends kept, and ```code``` in backticks set as code."""
    escaped = html.escape(text, quote=True).replace("\n", "<br>")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)


def _with_answer(blocks: list[str], text: str) -> str:
    """In letters and digits that no reader of Markdown, formulas or tags finds anything in."""
    answer = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    return "\n\n".join([*blocks, f"<!--answer:{answer}-->"])
