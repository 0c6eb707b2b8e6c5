"""Code -> the same code with its keywords, texts and comments in spans that Gradio's style sheet has colours
for."""

from __future__ import annotations

from collections.abc import Callable

from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, _TokenType  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

_LANGUAGES = frozenset({
    "bash", "c", "c++", "cpp", "css", "go", "html", "java", "javascript", "js", "json", "latex", "php", "py",
    "python", "python3", "rs", "rust", "sh", "shell", "sql", "tex", "ts", "typescript", "xml", "yaml", "yml",
})  # fmt: skip
"""Names of languages whose readers are well worn: an answer may name any, and a reader is a pile of regular
expressions."""

_CLASSES = (
    (Comment, "comment"),
    (Keyword.Constant, "boolean"),
    (Keyword, "keyword"),
    (Name.Function, "function"),
    (Name.Class, "class-name"),
    (Name.Builtin, "builtin"),
    (Name.Tag, "tag"),
    (Name.Attribute, "attr-name"),
    (String, "string"),
    (Number, "number"),
    (Operator.Word, "keyword"),
    (Operator, "operator"),
    (Punctuation, "punctuation"),
)
"""Pygments' kinds of tokens -> Prism's names for them, which the style sheet knows."""


def coloured(code: str, language: str, escaped: Callable[[str], str]) -> str:
    """The code as HTML, each of its characters there once and in order; plain in a language that is not
    known."""
    lexer = _lexer(language.lower())
    if lexer is None:
        return escaped(code)
    return "".join(_span(kind, text, escaped) for kind, text in lexer.get_tokens(code))


def _lexer(language: str) -> Lexer | None:
    if language not in _LANGUAGES:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _span(kind: _TokenType, text: str, escaped: Callable[[str], str]) -> str:
    name = next((name for known, name in _CLASSES if kind in known), "")
    return f'<span class="token {name}">{escaped(text)}</span>' if name else escaped(text)
