"""What a person at the page does where a conversation is too long: begins another one, as the browser keeps
this one then; the bin above it (Clear) would forget it. What an error's own hint says is for the terminal and
for programs, which keep none."""

from __future__ import annotations

from launcher.errors import LauncherError
from launcher.ui.texts import Language, say, say_error

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
"""An error's hint -> what the page says instead; its values fill both."""


def say_at_page(error: LauncherError, language: Language) -> tuple[str, str]:
    """What failed, and what to do next at the page (may be empty)."""
    failed, hint = say_error(error, language)
    advice = ADVICE.get(error.hint_template)
    return failed, hint if advice is None else say(advice, language, error.values)
