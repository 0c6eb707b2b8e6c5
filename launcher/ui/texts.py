"""The page's words in English and Chinese; owns every sentence a reader sees, and which language a reader
has.

The English sentence is the key: error templates stay where they are raised, their Chinese is in
``launcher.ui.chinese``. Texts of components go to Gradio's own translation by the browser's language; what
the server says follows the same language, from the request's Accept-Language.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Literal

from launcher.errors import LauncherError, Remark, Remarks
from launcher.ui.chinese import ZH

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

COMPONENTS = {
    "intro": "Small vision-language models on this machine. Pictures and questions stay here.",
    "chat": "Conversation",
    "compare": "Compare",
    "few": "Comparing takes two models that are here. Download one more in its tab.",
    "welcome": "Ask about a picture, or try an example.",
    "welcome_text": "Ask a question, or try an example.",
    "welcome_without_examples": "Ask about a picture.",
    "welcome_text_without_examples": "Ask a question.",
    "question_vision": "Add pictures, a PDF or a short video, type a question, press Enter",
    "question_text": "Type a question, press Enter",
    "advanced": "Advanced",
    "system_prompt": "System prompt",
    "max_new_tokens": "Longest answer, in tokens",
    "temperature": "Temperature",
    "temperature_info": "0 always takes the likeliest token",
    "top_p": "Top p",
    "top_k": "Top k",
    "top_k_info": "0 is no limit",
    "repetition_penalty": "Repetition penalty",
    "seed": "Seed",
    "unload": "Unload",
    "reset": "As the preset has them",
    "seed_info": "-1 draws a new answer each time",
}
"""Key for Gradio's translation -> English text; the Chinese is ``ZH[text]``."""


def language_of(accept_language: str | None) -> Language:
    """The language of the first entry of an Accept-Language header, as the browser's own language decides in
    the page."""
    first = (accept_language or "").split(",")[0].strip().lower()
    return "zh" if first == "zh" or first.startswith("zh-") else "en"


def say(template: str, language: Language, values: Mapping[str, object] | None = None) -> str:
    """A sentence in the reader's language, filled in; English where there is no Chinese. Values that are
    words, or sentences of their own, are translated."""
    known = values or {}
    if language == "zh":
        template = ZH.get(template, template)
        known = {name: _in_chinese(value) for name, value in known.items()}
    return template.format(**known) if known else template


def _in_chinese(value: object) -> object:
    match value:
        case str():
            return ZH.get(value, value)
        case OSError(strerror=str(reason), filename=file) if reason in ZH:
            return ZH[reason] if file is None else f"{ZH[reason]}：{file}"
        case Remark(template, values):
            return say(template, "zh", dict(values))
        case Remarks():
            return "、".join(str(_in_chinese(each)) for each in value)
    return value


def say_error(error: LauncherError, language: Language) -> tuple[str, str]:
    """What failed, and what to do next (may be empty)."""
    return say(error.template, language, error.values), say(error.hint_template, language, error.values)


def say_error_in_lines(error: LauncherError, language: Language) -> str:
    """The same as plain text, a line each."""
    return "\n".join(filter(None, say_error(error, language)))


def translations(english: Mapping[str, str], chinese: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Tables for ``gr.I18n``, the page's own texts added. Gradio has no plain ``zh``: both of its Chinese
    locales get the same.

    Gradio shows them as they are: braces and apostrophes mean nothing, as no values are handed over.
    """
    en = {**COMPONENTS, **english}
    zh = {**{key: ZH[text] for key, text in COMPONENTS.items()}, **chinese}
    return {"en": en, "zh": zh, "zh-CN": zh, "zh-TW": zh}


def placeholders(template: str) -> set[str]:
    """The names in a template's braces."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
