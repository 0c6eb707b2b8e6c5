"""A model's answer -> HTML: its Markdown, and nothing else that a browser could obey. Pure functions.

markdown-it-py reads the Markdown with raw HTML switched off, so every tag is one that this module wrote.
Gradio passes what it is given through another Markdown reader, through a search for formulas and through a
sanitizer. So that they find nothing to read differently, each top-level block is one line that begins with
the tag of a block, and every dollar, backslash and per cent sign is an entity but for the marks of formulas,
which KaTeX finds in the browser.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from launcher.ui.code_colours import coloured
from launcher.ui.markdown_rules import add_rules

_NOT_PLAIN = str.maketrans(
    {"$": "&#36;", "\\": "&#92;", "%": "&#37;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)
_CLOSING_TAGS = re.compile(r"(?:&#10;)?(?:</[a-z0-9]+>)+$")
_ADDRESS = re.compile(
    r"(?<![a-z0-9/@])(?:(?P<web>https?://|www\.)[^\s<>\"'`，。；：！？、（）【】《》「」『』“”‘’…]+"
    r"|[a-z0-9_.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)",
    re.IGNORECASE,
)
_MAX_COLOURED = 20_000
"""Characters of a block of code that are given colours."""

_COPY_BUTTON = (
    '<button title="copy" class="copy_code_button"><span class="copy-text">{copy}</span>'
    '<span class="check">{check}</span></button>'
).format(
    copy='<svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor">'
    '<path d="M6 6h8v8H6zM10 6V2H2v8h4"/></svg>',
    check='<svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor">'
    '<path d="M2 9l4 4 8-10"/></svg>',
)
"""Gradio's script for it copies the text beside the button and then shows its second child."""


def blocks_as_html(text: str) -> list[str]:
    """The answer's top-level blocks, a line of HTML each."""
    return [_rendered(block, colours=True) for block in _top_level(text)]


def growing_as_html(text: str) -> list[str]:
    """The same while more is to come: the last block is left open, so that what is shown next begins with
    what is shown now wherever Markdown allows it. Its code gets its colours when it is complete."""
    blocks = list(_top_level(text))
    shown = [_rendered(block, colours=True) for block in blocks[:-1]]
    return [*shown, *(_CLOSING_TAGS.sub("", _rendered(block, colours=False)) for block in blocks[-1:])]


def settled_length(text: str) -> int:
    """How many characters of an answer that still grows are blocks that nothing which follows can change.

    A block ends for good with a blank line after which another top-level block has begun; which one that is
    may only be judged from complete lines.
    """
    complete = text[: text.rfind("\n") + 1]
    if "\r" in complete or "\n\n" not in complete.replace(" ", ""):
        return 0
    lines = complete.splitlines(keepends=True) if complete.isascii() else re.findall(r"[^\n]*\n", complete)
    starts = [block[0].map[0] for block in _top_level(complete) if block[0].map]
    start = next((at for at in reversed(starts) if at and not lines[at - 1].strip()), 0)
    return sum(map(len, lines[:start]))


def escaped(text: str) -> str:
    """Text as HTML in which no reader of Markdown, formulas or tags finds anything, on one line."""
    return html.escape(text).translate(_NOT_PLAIN)


def _reader() -> MarkdownIt:
    """Definitions of links are text like any other: one that comes late would change what stands before."""
    reader = MarkdownIt("commonmark", {"html": False})
    reader.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])
    reader.validateLink = lambda url: bool(re.match("(?:https?|mailto):", url, re.IGNORECASE))  # type: ignore[method-assign]
    return add_rules(reader)


_READER = _reader()


def _top_level(text: str) -> Iterator[list[Token]]:
    """The blocks' tokens; what stands in a line is not read yet."""
    tokens: list[Token] = []
    source = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    _READER.block.parse(source, _READER, {}, tokens)
    begun = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[begun : index + 1]
            begun = index + 1


def _rendered(tokens: Sequence[Token], *, colours: bool = False) -> str:
    parts, in_link = [], False
    for token in tokens:
        if token.type == "inline":
            parts.append(_inline(token.content))
        elif token.type == "text":
            parts.append(escaped(token.content) if in_link else _linked(token.content))
        elif token.type == "image":
            parts.append(_unloaded(token, in_link))
        elif token.type == "fence":
            parts.append(_fence(token, colours))
        elif token.type in _LEAVES:
            parts.append(_LEAVES[token.type](token.content))
        elif not token.hidden:
            in_link = token.type == "link_open" or (in_link and token.type != "link_close")
            parts.append(_tag(token))
    return "".join(parts)


def _tag(token: Token) -> str:
    attributes = "".join(f' {name}="{escaped(str(value))}"' for name, value in token.attrItems())
    return f"</{token.tag}>" if token.nesting < 0 else f"<{token.tag}{attributes}>"


def _unloaded(image: Token, in_link: bool) -> str:
    """Nothing is fetched from elsewhere: a picture is shown as it was written."""
    source = str(image.attrGet("src") or "")
    return f"![{escaped(image.content)}]({escaped(source) if in_link else _link(source, source)})"


def _fence(fence: Token, colours: bool) -> str:
    language = fence.info.split(maxsplit=1)[:1]
    if colours and language and len(fence.content) <= _MAX_COLOURED:
        return _code(_coloured(fence.content, language[0]))
    return _code(escaped(fence.content))


@lru_cache(maxsize=1024)
def _inline(content: str) -> str:
    """What stands in a paragraph, a heading, a cell; kept, as a growing answer shows the same again."""
    return _rendered(_READER.parseInline(content)[0].children or [])


@lru_cache(maxsize=64)
def _coloured(code: str, language: str) -> str:
    return coloured(code, language, escaped)


def _code(inner: str) -> str:
    return f'<div class="code_wrap">{_COPY_BUTTON}<pre><code>{inner}</code></pre></div>'


def _formula(source: str) -> str:
    """The marks stay as they are, for KaTeX; what is between them is text."""
    return f"{source[:2]}{escaped(source[2:-2])}{source[-2:]}"


def _linked(text: str) -> str:
    """Text whose addresses are links."""
    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        address = _without_tail(found[0])
        parts += [escaped(text[end : found.start()]), _link(_as_url(found, address), address)]
        end = found.start() + len(address)
    return "".join([*parts, escaped(text[end:])])


def _as_url(found: re.Match[str], address: str) -> str:
    if found["web"] is None:
        return f"mailto:{address}"
    return f"http://{address}" if found["web"].lower() == "www." else address


def _without_tail(address: str) -> str:
    """A sentence's own punctuation after an address is none of it, nor a bracket that was opened before."""
    while address[-1] in ".,:;!?*_~)]" and (address[-1] != ")" or address.count(")") > address.count("(")):
        address = address[:-1]
    return address


def _link(url: str, text: str) -> str:
    url = _READER.normalizeLink(url)
    return f'<a href="{escaped(url)}">{escaped(text)}</a>' if _READER.validateLink(url) else escaped(text)


_LEAVES: dict[str, Callable[[str], str]] = {
    "code_inline": lambda content: f"<code>{escaped(content)}</code>",
    "code_block": lambda content: _code(escaped(content)),
    "softbreak": lambda _: "<br>",
    "hardbreak": lambda _: "<br>",
    "formula": _formula,
    "formula_block": lambda content: f"<p>{_formula(content)}</p>",
}
"""Tokens that are no tags, by markdown-it's names: content -> HTML."""
