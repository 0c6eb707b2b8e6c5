"""A model's state as one line of HTML: asleep, loading with stage and seconds, ready, failed with why and
what to type. Pure.

Beside it stand what all models hold of the GPU, and what the last answer cost.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from launcher.errors import LauncherError
from launcher.messages import Chunk
from launcher.ui.shown_text import html_lines
from launcher.ui.texts import Language, say, say_error
from launcher.workers.states import DeviceUse, ModelState, ModelStatus, ProcessState

_GIB = 1 << 30

_SECONDS = re.compile(r'<span class="seconds">\d+</span>')
"""The page counts on from there by itself (``page/server.js``)."""

_SENTENCE = {
    ModelState.UNAVAILABLE: "Cannot run here.",
    ModelState.ASLEEP: "Asleep. It wakes with the first question.",
    ModelState.WAITING: "Waiting for its turn to load",
    ModelState.READY: "Ready.",
    ModelState.STOPPING: "Stopping.",
    ModelState.FAILED: "Failed.",
}

_CLOSE_AT_HAND = {
    ProcessState.STANDING_BY: "Asleep; its process stands by to load it.",
    ProcessState.SLEEPING: "Asleep, close at hand: it wakes at once.",
}

_ON_A_SERVER = {
    ModelState.ASLEEP: "Its server is asked with the first question.",
    ModelState.READY: "Ready, on its server.",
}


_ENDS = (".", "!", "?", ":", "…", "。", "！", "？", "：")
"""Of sentences."""

_CUT_OFF = {
    "length": "The answer reached its limit in tokens, {tokens}: raise it under Advanced.",
    "session_full": "The answer was cut off: with the conversation it fills this model's session of {session}"
    " tokens. Begin a new conversation or shorten the question.",
}


def render(status: ModelStatus, language: Language, uses: Iterable[DeviceUse] = ()) -> str:
    """The line for a state, and what is held of the devices on which models have a plan."""
    parts = [_sentence(status, language)]
    if status.error is not None:
        parts.append(error_html(status.error, language))
    parts += [f'<span class="held">{html.escape(_held(use, language))}</span>' for use in uses]
    kinds = f"status {status.state.value}" + (" unloadable" if _can_be_unloaded(status) else "")
    return f'<p class="{kinds}" role="status">{" ".join(parts)}</p>'


def without_seconds(line: str) -> str:
    """What of a line the page does not count by itself."""
    return _SECONDS.sub("", line)


def _can_be_unloaded(status: ModelStatus) -> bool:
    """Whether there is memory to be given back, on the GPU or in RAM, or a load to be called off."""
    return (
        not status.is_remote
        and status.state is not ModelState.STOPPING
        and (
            status.process is not ProcessState.NONE
            or (status.state is ModelState.WAITING and not status.waiting)
        )
    )


def error_html(error: LauncherError, language: Language) -> str:
    """What failed and what to do next, one behind the other, as HTML; text in backticks is set as code."""
    what, hint = say_error(error, language)
    if hint and not what.endswith(_ENDS):
        what += "。" if language == "zh" else "."
    return " ".join(html_lines(part) for part in (what, hint) if part)


def _sentence(status: ModelStatus, language: Language) -> str:
    """As HTML."""
    match status.state:
        case state if status.is_remote and state in _ON_A_SERVER:
            return html.escape(say(_ON_A_SERVER[state], language))
        case ModelState.ASLEEP if status.process in _CLOSE_AT_HAND:
            return html.escape(say(_CLOSE_AT_HAND[status.process], language))
        case ModelState.LOADING if status.is_remote:
            facts = [say("Asking its server", language)]
        case ModelState.LOADING:
            facts = [
                say("Loading: {stage}" if status.stage else "Loading", language, {"stage": status.stage})
            ]
        case ModelState.WAITING if status.waits_for:
            facts = [
                say("Waiting for the answers of {models}", language, {"models": ", ".join(status.waits_for)})
            ]
        case ModelState.WAITING:
            facts = [say(_SENTENCE[status.state], language)]
        case _:
            return html.escape(say(_SENTENCE[status.state], language))
    if status.fraction > 0:
        facts.append(say("{percent} %", language, {"percent": round(100 * status.fraction)}))
    counted = say("{seconds} s", language, {"seconds": f'<span class="seconds">{int(status.since_s)}</span>'})
    return ("，" if language == "zh" else ", ").join([*map(html.escape, facts), counted])


def _held(use: DeviceUse, language: Language) -> str:
    values = {
        "number": use.number,
        "held": sum(use.held_bytes.values()) / _GIB,
        "budget": use.budget_bytes / _GIB,
    }
    if use.device == "cpu":
        line = say("Memory: {held:.1f} of {budget:.1f} GiB", language, values)
    else:
        line = say("GPU {number}: {held:.1f} of {budget:.1f} GiB", language, values)
    models = ", ".join(
        f"{name} {held_bytes / _GIB:.1f}" for name, held_bytes in use.held_bytes.items() if held_bytes
    )
    return f"{line} ({models})" if models else line


def render_cost(last: Chunk, language: Language) -> str:
    """What an answer cost, from its last chunk."""
    return f'<p class="cost">{html.escape(_cost(last, language))}</p>'


def _cost(last: Chunk, language: Language) -> str:
    usage = last.usage
    if usage is None:
        return ""
    values = {"tokens": usage.new_tokens, "total_s": usage.total_s, "first_s": usage.first_token_s}
    spent = (
        "{tokens} token in {total_s:.1f} s."
        if usage.new_tokens == 1
        else "{tokens} tokens in {total_s:.1f} s, the first after {first_s:.2f} s."
    )
    parts = [say(spent, language, values)]
    if usage.total_s > usage.first_token_s and usage.new_tokens > 1:
        rate = (usage.new_tokens - 1) / (usage.total_s - usage.first_token_s)
        parts.append(say("{rate} tokens a second.", language, {"rate": _two_figures(rate)}))
    if usage.picture_tokens:
        of_pictures = (
            "{tokens} token of pictures." if usage.picture_tokens == 1 else "{tokens} tokens of pictures."
        )
        parts.append(say(of_pictures, language, {"tokens": usage.picture_tokens}))
    if last.finish in _CUT_OFF:
        session_tokens = usage.prompt_tokens + usage.new_tokens
        parts.append(say(_CUT_OFF[last.finish], language, {**values, "session": session_tokens}))
    return " ".join(parts)


def _two_figures(rate: float) -> str:
    """A rate that can be told from others: 0.4, 3.2, 17, 210."""
    return f"{rate:.1f}" if rate < 9.95 else f"{rate:.0f}"
