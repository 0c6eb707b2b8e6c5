"""A model's state as one line of HTML: asleep, loading with stage and seconds, ready, failed with why and what to type. Pure."""

from __future__ import annotations

import html

from launcher.errors import LauncherError
from launcher.messages import Chunk
from launcher.ui.shown_text import html_lines
from launcher.ui.texts import Language, say, say_error
from launcher.workers.states import ModelState, ModelStatus

_SENTENCE = {
    ModelState.UNAVAILABLE: "Cannot run here.",
    ModelState.ASLEEP: "Asleep. It wakes with the first question.",
    ModelState.WAITING: "Waiting for its turn to load.",
    ModelState.READY: "Ready.",
    ModelState.STOPPING: "Stopping.",
    ModelState.FAILED: "Failed.",
}


def render(status: ModelStatus, language: Language, last: Chunk | None = None) -> str:
    """The line for a state; with an answer's last chunk, also what that answer cost."""
    parts = [html.escape(_sentence(status, language))]
    if status.error is not None:
        parts.append(error_html(status.error, language))
    elif last is not None:
        parts.append(html.escape(_cost(last, language)))
    return f'<p class="status {status.state.value}" role="status">{" ".join(parts)}</p>'


def error_html(error: LauncherError, language: Language) -> str:
    """What failed and what to do next, as HTML; text in backticks is set as code."""
    return " ".join(html_lines(part) for part in say_error(error, language) if part)


def _sentence(status: ModelStatus, language: Language) -> str:
    if status.state is not ModelState.LOADING:
        return say(_SENTENCE[status.state], language)
    template = "Loading: {stage}" if status.stage else "Loading"
    facts = [say(template, language, {"stage": status.stage})]
    if status.fraction > 0:
        facts.append(say("{percent} %", language, {"percent": round(100 * status.fraction)}))
    facts.append(say("{seconds} s", language, {"seconds": int(status.since_s)}))
    return ("，" if language == "zh" else ", ").join(facts)


def _cost(last: Chunk, language: Language) -> str:
    usage = last.usage
    if usage is None:
        return ""
    values = {"tokens": usage.new_tokens, "total_s": usage.total_s, "first_s": usage.first_token_s}
    cost = say("{tokens} tokens in {total_s:.1f} s, the first after {first_s:.2f} s.", language, values)
    if last.finish != "length":
        return cost
    return cost + " " + say("The answer reached its limit of {tokens} tokens: raise it under Advanced.", language, values)
