from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.ui.shown_text import (
    answer_as_given,
    answer_as_shown,
    html_lines,
    typed_as_given,
    typed_as_shown,
)

ANY_TEXT = st.text() | st.text(alphabet="&lt;amp#9146.![]<`~ \n\xa0x160_-\\()*")


@given(ANY_TEXT)
def test_typed_text_finds_back(text: str) -> None:
    assert typed_as_given(typed_as_shown(text)) == text


@given(ANY_TEXT)
def test_an_answer_finds_back(text: str) -> None:
    assert answer_as_given(answer_as_shown(text)) == text


@given(ANY_TEXT)
def test_typed_text_holds_nothing_that_means_something(text: str) -> None:
    shown = typed_as_shown(text)
    assert not set("<>[]()*_`~\\$|!\"'=+.-") & set(shown)
    assert html.unescape(shown).replace("\xa0", " ") == html.unescape(shown.replace("&#160;", " ")).replace(
        "\xa0", " "
    )


@pytest.mark.parametrize(
    "text", ["What colour is the star?", "星形是什么颜色？", "How many, in all: one; two"]
)
def test_plain_words_are_readable_as_they_are(text: str) -> None:
    assert html.unescape(typed_as_shown(text)) == text


@given(st.text(alphabet=st.characters(exclude_characters="`~")))
def test_an_answer_without_code_holds_no_tag_and_no_picture(text: str) -> None:
    shown = answer_as_shown(text)
    assert not re.search("<[A-Za-z/!?]", shown)
    assert "![" not in shown


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (
            "**bold** and\n- a list\n\n| a | b |\n|---|---|\n",
            "**bold** and\n- a list\n\n| a | b |\n|---|---|\n",
        ),
        ("a < b && c > d <3", "a < b && c > d <3"),
        ("half a tag <", "half a tag &lt;"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("![x](http://elsewhere/x.png)", "!&#91;x](http://elsewhere/x.png)"),
        ("`a < b`", "`a < b`"),
        ("``a ` < b``", "``a ` < b``"),
        ("`a\n<b>`", "`a\n&lt;b>`"),
        ("```c\nif (a < b)\n```\n<b>", "```c\nif (a < b)\n```\n&lt;b>"),
        ("```c\nif (a < b", "```c\nif (a < b"),
        ("12.", "12&#46;"),
        ("It is 3.5, or 12. \n1. one\n2. two", "It is 3.5, or 12&#46; \n1. one\n2. two"),
        ("AT&T &lt; &copy;", "AT&T &amp;lt; &copy;"),
    ],
)
def test_an_answer_keeps_its_markdown(answer: str, shown: str) -> None:
    assert answer_as_shown(answer) == shown


@given(st.text(alphabet="ab [!;\n-*", max_size=60), st.integers(0, 60))
def test_a_longer_answer_extends_what_is_shown(text: str, cut: int) -> None:
    """Gradio sends the browser what is new alone, as long as the old text stays; a tag or an entity at the
    cut may change."""
    assert answer_as_shown(text).startswith(answer_as_shown(text[:cut]))


def test_html_lines() -> None:
    assert html_lines("<b>\n`a&b` \"'") == "&lt;b&gt;<br><code>a&amp;b</code> &quot;&#x27;"
