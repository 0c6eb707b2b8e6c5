"""What a person at the page is told of a question that cannot be answered, where that is not what an error
says by itself: that is for the terminal and for programs."""

from __future__ import annotations

from launcher.errors import LauncherError, Remark
from launcher.settings import CANNOT_BE, OPTION_NAMES
from launcher.ui.texts import COMPONENTS, Language, say, say_error

ADVICE = {
    "Clear the conversation.": "Begin a new conversation.",
    "Clear the conversation or shorten the question.": "Begin a new conversation or shorten the question.",
    "Clear the conversation, send fewer or smaller pictures, or shorten the question.": (
        "Begin a new conversation, send fewer or smaller pictures, or shorten the question."
    ),
    "Clear the conversation and the system prompt, and ask again.": (
        "Begin a new conversation, clear the system prompt, and ask again."
    ),
    "Wait for the other answers, or clear the conversation.": (
        "Wait for the other answers, or begin a new conversation."
    ),
}
"""An error's hint -> what the page says instead; its values fill both. Where a conversation is too long, a
person at the page begins another one, as the browser keeps this one then; the bin above it (Clear) would
forget it."""

LABELS = {name: COMPONENTS[name] for name in ("system_prompt", *OPTION_NAMES)}
"""A setting's key -> what its control is called on the page."""

CONTROL = '"{label}" under Advanced'
"""What a refused setting is called at the page."""


def say_at_page(error: LauncherError, language: Language) -> tuple[str, str]:
    """What failed, and what to do next at the page (may be empty)."""
    shown = _by_labels(error)
    failed, hint = say_error(shown, language)
    advice = ADVICE.get(shown.hint_template)
    return failed, hint if advice is None else say(advice, language, shown.values)


def _by_labels(error: LauncherError) -> LauncherError:
    """The same error; a setting that it refuses is called by its control's label instead of its key."""
    label = LABELS.get(str(error.values.get("name")))
    if error.template != CANNOT_BE or label is None:
        return error
    control = Remark(CONTROL, (("label", label),))
    return type(error)(error.template, error.hint_template, **{**error.values, "name": control})
