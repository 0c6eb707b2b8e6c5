"""What answers hold beside CommonMark, as rules of markdown-it: formulas, and a lone mark that is meant as
text."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_CLOSED_BY = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
"""The marks of formulas. No single dollars: a price is no formula."""

_LONE_MARK = re.compile(r"(?:\d{1,9}[.)]|[-+*]|#{1,6}|>)[ \t]*")


def add_rules(reader: MarkdownIt) -> MarkdownIt:
    """Teaches the reader both; their tokens are ``formula``, ``formula_block`` and plain paragraphs."""
    may_end: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list"]}
    reader.block.ruler.before("code", "formula_block", _formula_block, may_end)
    reader.block.ruler.before("blockquote", "lone_mark", _lone_mark)
    reader.inline.ruler.before("escape", "formula", _formula)
    return reader


def _formula(state: StateInline, silent: bool) -> bool:
    """A formula within a line; nothing in it is Markdown."""
    closing = _CLOSED_BY.get(state.src[state.pos : state.pos + 2])
    end = state.src.find(closing, state.pos + 3, state.posMax) if closing else -1
    if closing is None or end < 0:
        return False
    if not silent:
        state.push("formula", "", 0).content = state.src[state.pos : end + 2]
    state.pos = end + 2
    return True


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula on lines of its own, whatever these begin with. A blank line ends it, as it does in TeX."""
    if state.is_code_block(start):
        return False
    text = _line(state, start)
    closing = _CLOSED_BY.get(text[:2])
    line = start
    while closing and closing not in text[3:]:
        line += 1
        if line >= end or state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return False
        text += "\n" + _line(state, line)
    if closing is None or not text.rstrip().endswith(closing) or closing in text.rstrip()[3:-2]:
        return False
    if not silent:
        token = state.push("formula_block", "", 0)
        token.content, token.map = text.rstrip(), [start, line + 1]
        state.line = line + 1
    return True


def _lone_mark(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """``12.`` alone is an answer, not the beginning of a list whose item is empty."""
    text = _line(state, start)
    if not _LONE_MARK.fullmatch(text) or (start + 1 < end and not state.isEmpty(start + 1)):
        return False
    if not silent:
        state.line = start + 1
        state.push("paragraph_open", "p", 1).map = [start, start + 1]
        line = state.push("inline", "", 0)
        line.content, line.map, line.children = text.strip(), [start, start + 1], []
        state.push("paragraph_close", "p", -1)
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
