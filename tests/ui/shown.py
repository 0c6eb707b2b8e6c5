"""What is shown in a bubble, and what it was made of."""

from __future__ import annotations

import base64
import html
import re

from launcher.ui.shown_text import GrowingAnswer


def answer_as_shown(text: str) -> str:
    """A whole answer."""
    return GrowingAnswer().finished(text)


def answer_behind(shown: str) -> str:
    """What a person copies."""
    found = re.search(r"<!--answer:([A-Za-z0-9+/=]*)-->\Z", shown)
    assert found is not None
    return base64.b64decode(found[1]).decode("utf-8", "surrogatepass")


def typed_in(shown: str) -> str:
    """What a person reads of a question."""
    inner = shown.removeprefix('<div style="white-space: pre-wrap">').removesuffix("</div>")
    assert "<" not in inner
    return re.sub(r"&#\d+;", lambda entity: html.unescape(entity[0]), inner)
