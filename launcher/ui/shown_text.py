"""What a chat bubble is given so that text is shown and never obeyed, and the way back to the text itself.

Gradio renders a bubble as Markdown with HTML in it. A person's text is shown exactly as typed: every
character that could mean something is written as an HTML entity. A model's answer keeps its Markdown (lists,
tables, code, formulas) but no HTML tag and no picture from elsewhere. Both are exact inverses of each other,
so that the page's history is the conversation and the server keeps none. All functions are pure.
"""

from __future__ import annotations

import html
import re

_NOT_PLAIN = re.compile(r"[^\w ,;:?\n]|_|^ +|(?<= ) | $", re.MULTILINE)
"""What may mean something: punctuation that Markdown or HTML reads, and spaces that HTML would drop."""

_HARD_SPACE = "160"
"""The entity for a space that must be seen. A hard space that was typed is written ``&#xa0;``, so that both
find back."""

_RISKY = re.compile(
    r"<(?=[A-Za-z/!?]|\Z)|(?<=!)\[|&(?=lt;|#91;|#46;|amp;)|(?<=\d)\.(?=[ \t]*$)", re.MULTILINE
)
"""In an answer: the start of a tag, of a picture, of an entity that ``answer_as_given`` would turn back; the
mark after a number at a line's end, for "12." alone would be an empty item of a list."""

_ENTITIES = {"<": "&lt;", "[": "&#91;", "&": "&amp;", ".": "&#46;"}
_BACK = re.compile("&lt;|&#91;|&#46;|&amp;")
_CHARACTERS = {entity: character for character, entity in _ENTITIES.items()}

_CODE = re.compile(
    r"(^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\2[`~]*[ \t]*$|\Z))|((?<!`)(`+)(?!`)[^\n]*?(?<!`)\4(?!`))",
    re.M | re.S,
)
"""Fenced blocks (an unclosed one runs to the end, as while streaming), and code spans on one line."""


def typed_as_shown(text: str) -> str:
    """A person's text for a bubble: shown character by character."""
    return _NOT_PLAIN.sub(lambda match: "".join(_entity(character) for character in match[0]), text)


def typed_as_given(shown: str) -> str:
    """The text that ``typed_as_shown`` was given."""
    return re.sub(r"&#(xa0|\d+);", _typed_character, shown)


def answer_as_shown(text: str) -> str:
    """A model's answer for a bubble: its Markdown without HTML and without pictures; code is left as it
    is."""
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_harmless(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _harmless(text[end:])])


def answer_as_given(shown: str) -> str:
    """The text that ``answer_as_shown`` was given."""
    parts, end = [], 0
    for code in _CODE.finditer(shown):
        parts += [_restored(shown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _restored(shown[end:])])


def html_lines(text: str) -> str:
    """Plain text as HTML: escaped, line ends kept, and ```code``` in backticks set as code."""
    escaped = html.escape(text, quote=True).replace("\n", "<br>")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)


def _entity(character: str) -> str:
    if character == " ":
        return f"&#{_HARD_SPACE};"
    return "&#xa0;" if character == "\u00a0" else f"&#{ord(character)};"


def _typed_character(entity: re.Match[str]) -> str:
    if entity[1] == _HARD_SPACE:
        return " "
    return "\u00a0" if entity[1] == "xa0" else chr(int(entity[1]))


def _harmless(text: str) -> str:
    return _RISKY.sub(lambda match: _ENTITIES[match[0]], text)


def _restored(text: str) -> str:
    return _BACK.sub(lambda match: _CHARACTERS[match[0]], text)
