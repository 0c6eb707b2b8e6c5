"""What a bubble is given. tests/browser/test_shown_text.py checks what Chromium makes of it."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.ui.answer_html import blocks_as_html
from launcher.ui.shown_text import (
    GrowingAnswer,
    html_lines,
    typed_as_shown,
)
from tests.ui.shown import answer_as_shown, answer_behind, typed_in

PIECES = st.sampled_from(
    [
        *(
            "`",
            "``",
            "```",
            "~~~",
            "|",
            "\\",
            "$$",
            "\\(",
            "\\)",
            "\\[",
            "\\]",
            "<",
            ">",
            "&",
            "&lt;",
            "&amp;",
        ),
        *("&#91;", "'", '"', "\n", "\n\n", " ", "    ", "\t", "- ", "1. ", "12.", "> ", "# ", "*", "**", "_"),
        *(
            "![a](b)",
            "[a](http://b.c)",
            "[a]: b",
            "<http://b.c>",
            "http://b.c/d",
            "<img src=x onerror=alert(1)>",
        ),
        *("<h1>", "<form>", "<!--", "-->", "a", "b c", "|---|---|\n", "```mermaid\n", "%%%LATEX_BLOCK_0%%%"),
        *("```c\n", "---\n", "===\n", "星", "\r\n", "\0", "\ud800", "javascript:x", "~~"),
    ]
)
MARKUP = st.lists(PIECES, max_size=30).map("".join)
ANY_TEXT = st.text() | MARKUP
ALLOWED = frozenset(
    re.findall(
        r"\w+",
        "p br ul ol li blockquote h1 h2 h3 h4 h5 h6 hr table thead tbody tr th td strong em s a code pre div"
        " button span svg path",
    )
)
ATTRIBUTES = frozenset(re.findall(r"\w+", "href title start style class viewbox width height fill stroke d"))


class Tags(HTMLParser):
    """The names of the tags and attributes of some HTML, its addresses and its text in code."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.code: list[str] = []
        self._in_code = False
        self.feed(shown)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag == "code":
            self._in_code = True
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "code"

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.code[-1] += data


@given(ANY_TEXT)
def test_typed_text_is_shown_as_it_is(text: str) -> None:
    plain = text.replace("\r", "").replace("\0", "")  # html.unescape takes both for a mistake
    assert typed_in(typed_as_shown(plain)) == plain


@given(ANY_TEXT)
def test_an_answer_stands_behind_what_is_shown_of_it(text: str) -> None:
    assert answer_behind(answer_as_shown(text)) == text


@given(ANY_TEXT)
def test_typed_text_holds_nothing_that_means_something(text: str) -> None:
    shown = typed_as_shown(text)
    inner = shown.removeprefix('<div style="white-space: pre-wrap">').removesuffix("</div>")
    assert not set("<>[]()*_`~\\$|!\"'=+.-%\n\r\t") & set(inner)


@given(ANY_TEXT)
def test_an_answer_is_blocks_of_one_line_with_known_tags_and_attributes(text: str) -> None:
    for block in blocks_as_html(text):
        assert re.match("<(?:p|ul|ol|blockquote|h[1-6]|hr|table|div)[ />]", block)
        assert not re.search(r"[\n\r\t]|%%%|\$(?!\$)(?<!\$\$)", block)
        tags = Tags(block)
        assert tags.names <= ALLOWED
        assert tags.attributes.keys() <= ATTRIBUTES
        assert all(re.match("(?:https?|mailto):", url, re.I) for url in tags.attributes.get("href", ()))
        assert tags.attributes.get("style", set()) <= {
            f"text-align:{side}" for side in ("left", "center", "right")
        }


@given(ANY_TEXT)
def test_no_formula_begins_in_one_block_and_ends_in_another(text: str) -> None:
    """Gradio looks for formulas in the whole text, whatever the tags in between."""
    for left, right in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)")):
        for found in re.findall(f"{re.escape(left)}(.+?){re.escape(right)}", answer_as_shown(text), re.S):
            assert "<" not in found
            assert "\n" not in found


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=30), st.data())
def test_a_growing_answer_shows_what_the_whole_one_does(pieces: list[str], data: st.DataObject) -> None:
    growing = GrowingAnswer()
    for piece in pieces:
        growing.add(piece)
    assert growing.finished("") == answer_as_shown("".join(pieces))


@given(st.text(alphabet="ab `[!;\n-*", max_size=60), st.integers(0, 60))
def test_a_growing_answer_is_read_as_its_text_so_far(text: str, cut: int) -> None:
    one, two = GrowingAnswer(), GrowingAnswer()
    two.add(text[:cut])
    assert one.add(text) == two.add(text[cut:])


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("The star is red.\n\nThere is nothing else.\n\nOr is there?", 0),
        ("It is **bold** and `code`.", 3),
        ("```py\nif x < 3:\n    return '<b>'\n\nelse:\n    pass\n```\n\nThat is all.", 3),
        ("- one\n- two\n- three\n\nThat is all.", 1),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", 3),
    ],
)
def test_what_is_shown_extends_what_was_shown(text: str, replaced: int) -> None:
    """Gradio sends the browser what is new alone, as long as the old text stays: so it should but where a
    mark turns out to be one."""
    growing = GrowingAnswer()
    shown = [growing.add(letter) for letter in text]
    assert sum(not new.startswith(old) for old, new in pairwise(shown)) <= replaced


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("`a < b`", ["a < b"]),
        ("``a ` < b``", ["a ` < b"]),
        ("`a\n<b>`", ["a <b>"]),
        ("\\`<img src=x>\\`", []),
        ("```c\nif (a < b)\n```\n<b>", ["if (a < b)\n"]),
        ("```c\nif (a < b", ["if (a < b"]),
        ("``` a`b\n<b>\n```", [""]),
        (
            "Text:\n\n    if x < 3:\n        return 12.\n    <b>![a](b)\n",
            ["if x < 3:\n    return 12.\n<b>![a](b)\n"],
        ),
        ("- a list\n  ```html\n  <b>&amp;</b>\n  ```\n", ["<b>&amp;</b>\n"]),
        ("> ```\n> <b>\n> ```\n", ["<b>\n"]),
        ("| a | b |\n|---|---|\n| `x\\|y` | `<b>` |\n", ["x|y", "<b>"]),
        ("`$$` and `$$ <b>`", ["$$", "$$ <b>"]),
        ("```mermaid\ngraph TD; A-->B\n```\n", ["graph TD; A-->B\n"]),
    ],
)
def test_code_is_shown_as_it_is(answer: str, code: list[str]) -> None:
    assert Tags("".join(blocks_as_html(answer))).code == code


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("**bold** and *slanted*", "<p><strong>bold</strong> and <em>slanted</em></p>"),
        ("~~gone~~ and `code`", "<p><s>gone</s> and <code>code</code></p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("# Head\n- a\n- b", "<h1>Head</h1>\n\n<ul><li>a</li><li>b</li></ul>"),
        ("a < b && c > d <3", "<p>a &lt; b &amp;&amp; c &gt; d &lt;3</p>"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
        ("<h1>a</h1>", "<p>&lt;h1&gt;a&lt;/h1&gt;</p>"),
        ("12.", "<p>12.</p>"),
        ("#", "<p>#</p>"),
        ("3.5, or 12. \n1. one\n2. two", "<p>3.5, or 12.</p>\n\n<ol><li>one</li><li>two</li></ol>"),
        ("[a]: b", "<p>[a]: b</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("<http://example.com>", '<p><a href="http://example.com">http://example.com</a></p>'),
        ("见https://a.b/c，很好。", '<p>见<a href="https://a.b/c">https://a.b/c</a>，很好。</p>'),
        ("(see www.a.bc/d_(e).)", '<p>(see <a href="http://www.a.bc/d_(e)">www.a.bc/d_(e)</a>.)</p>'),
        ("![x](http://e.f/x.png)", '<p>![x](<a href="http://e.f/x.png">http://e.f/x.png</a>)</p>'),
        ("\\(a < b_1\\) is *so*", "<p>\\(a &lt; b_1\\) is <em>so</em></p>"),
        ("$$\na\n= b\n+ c\n$$", "<p>$$&#10;a&#10;= b&#10;+ c&#10;$$</p>"),
        ("It costs $5 or $$ 100 %", "<p>It costs &#36;5 or &#36;&#36; 100 &#37;</p>"),
        # A closing mark after punctuation and before a letter closes nothing: so CommonMark has it.
        ("**“是”**的", "<p>**“是”**的</p>"),
    ],
)  # fmt: skip
def test_an_answer_keeps_its_markdown(answer: str, shown: str) -> None:
    assert "\n\n".join(blocks_as_html(answer)) == shown


def test_code_has_colours_and_every_character() -> None:
    code = "def f(x):\n    return '<b>' # \\ $$\n"
    shown = "".join(blocks_as_html(f"```python\n{code}```"))
    assert '<span class="token keyword">def</span>' in shown
    assert Tags(shown).code == [code]


def test_html_lines() -> None:
    assert html_lines("<b>\n`a&b` \"'") == "&lt;b&gt;<br><code>a&amp;b</code> &quot;&#x27;"


def test_typed_text_is_readable_as_it_is() -> None:
    assert html.unescape(typed_as_shown("What colour\n\n\n\tis  “it”?")) == (
        '<div style="white-space: pre-wrap">What colour\n\n\n\tis  “it”?</div>'
    )
