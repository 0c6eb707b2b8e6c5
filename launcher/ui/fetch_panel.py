"""A tab whose model is not here: its size, the room on the disk, the download's buttons and how far it is, as
HTML. Pure.

What a hub says (names of files, sizes, reasons) is shown as text and never obeyed.
"""

from __future__ import annotations

import html

from launcher.fetching.fetches import Fetches
from launcher.fetching.states import FetchStage, FetchStatus, Hub
from launcher.ui.fetch_advice import say_failure
from launcher.ui.model_facts import facts_html
from launcher.ui.shown_text import html_lines
from launcher.ui.texts import Language, say

_HUBS: dict[Hub, str] = {"hf": "Hugging Face", "modelscope": "ModelScope"}
_GB, _MB, _KB = 10**9, 10**6, 10**3
_STEPS = 1000
"""Of a progress bar."""

FETCH, PROGRESS, FACTS, ABSENT = "@fetch-", "@progress-", "@facts-", "@absent"
"""Names of places (``page/places.js``), the first three with a model's name behind; ABSENT tells the names of
the models that are not here."""


def fetch_places(fetches: Fetches, language: Language) -> dict[str, str]:
    """Place -> what it shows, of all models that can be fetched."""
    statuses = fetches.statuses()
    absent = (status.name for status in statuses if status.stage is not FetchStage.HERE)
    found = {ABSENT: " ".join(absent)}
    for status in statuses:
        found[FETCH + status.name] = panel(status, language)
        found[PROGRESS + status.name] = progress(status, language) if status.stage.is_under_way else ""
        found[FACTS + status.name] = facts_html(status.readiness, language) if status.readiness else ""
    return found


def panel(status: FetchStatus, language: Language) -> str:
    """All but the numbers, which change all the time: a button that is held keeps its place."""
    match status.stage:
        case FetchStage.HERE:
            return ""
        case FetchStage.ASKING | FetchStage.FETCHING | FetchStage.CHECKING:
            return _under_way(status, language)
        case FetchStage.FAILED:
            heading, sentences = "The download stopped", _failure(status, language)
        case FetchStage.STOPPED:
            heading, sentences = "The download was cancelled", []
        case FetchStage.ABSENT:
            heading, sentences = "This model is not on this machine", []
    parts = [*sentences, html.escape(_room(status, language))]
    typed = say("Or type: `{command}`", language, {"command": status.command})
    return (
        f"<h2>{html.escape(say(heading, language))}</h2>"
        + "".join(f"<p>{part}</p>" for part in parts if part)
        + f'<p class="acts">{_start_buttons(status, language)}</p>'
        + f'<p class="facts">{html_lines(typed)}</p>'
    )


def progress(status: FetchStatus, language: Language) -> str:
    """The bar, and what stands below it."""
    name = say("Download of {name}", language, {"name": status.name})
    total = status.total_bytes if status.is_exact else None
    value = f' value="{_STEPS * status.done_bytes // total}"' if total else ""
    bar = f'<progress max="{_STEPS}"{value} aria-label="{html.escape(name)}"></progress>'
    return f'{bar}<p class="how">{html.escape(" · ".join(_numbers(status, language)))}</p>'


def _under_way(status: FetchStatus, language: Language) -> str:
    asked = status.stage is FetchStage.ASKING
    heading = say(
        "Asking {hub} what there is" if asked else "Downloading from {hub}",
        language,
        {"hub": _HUBS[status.hub]},
    )
    notes = [say("All who have this page open see this download, and Cancel ends it for all.", language)]
    if status.unhashed:
        files = ", ".join(status.unhashed)
        notes.append(
            say("Taken by size alone, as the hub gives no hash: {files}", language, {"files": files})
        )
    return (
        f"<h2>{html.escape(heading)}</h2>"
        f'<div data-place="{PROGRESS}{status.name}" aria-live="off"></div>'
        f'<p class="acts"><button type="button" data-cancel="{status.name}">'
        f"{html.escape(say('Cancel', language))}</button></p>"
        + "".join(f'<p class="facts">{html.escape(note)}</p>' for note in notes)
    )


def _start_buttons(status: FetchStatus, language: Language) -> str:
    first = _button(status.name, status.hub, say(_start(status), language), "first")
    others = (
        _button(status.name, hub, say("Download from {hub}", language, {"hub": _HUBS[hub]}), "")
        for hub in status.other_hubs
    )
    return "".join([first, *others])


def _start(status: FetchStatus) -> str:
    """What the button says that begins, or goes on."""
    if status.stage is FetchStage.ABSENT:
        return "Download"
    return "Resume" if status.done_bytes else "Try again"


def _button(name: str, hub: Hub, label: str, kind: str) -> str:
    return (
        f'<button type="button" class="{kind}" data-fetch="{name}" data-hub="{hub}">'
        f"{html.escape(label)}</button>"
    )


def _failure(status: FetchStatus, language: Language) -> list[str]:
    if status.error is None:
        return []
    return [html_lines(part) for part in say_failure(status.error, _start(status), language) if part]


def _room(status: FetchStatus, language: Language) -> str:
    """How large it is and what room there is, as far as that is known."""
    values = {
        "hub": _HUBS[status.hub],
        "size": size(status.total_bytes or 0),
        "done": size(status.done_bytes),
        "free": size(status.free_bytes or 0),
    }
    if status.total_bytes is None:
        sentences = ["How large it is, {hub} tells when you press the button."]
    elif not status.is_exact:
        sentences = ["About {size} come from {hub}."]
    else:
        sentences = ["{done} of {size} are here, and are kept."]
    if status.free_bytes is not None:
        sentences.append("{free} are free on the disk.")
    return ("" if language == "zh" else " ").join(say(each, language, values) for each in sentences)


def _numbers(status: FetchStatus, language: Language) -> list[str]:
    total = status.total_bytes
    if not status.is_exact or total is None:
        return []
    parts = [
        say("{done} of {size}", language, {"done": size(status.done_bytes), "size": size(total)}),
        say("{percent} %", language, {"percent": 100 * status.done_bytes // total if total else 100}),
    ]
    if status.stage is FetchStage.CHECKING:
        return [*parts, say("checking {file}", language, {"file": status.file})]
    if status.bytes_per_s > 0:
        seconds = (total - status.done_bytes) / status.bytes_per_s
        parts += [
            say("{size} a second", language, {"size": size(int(status.bytes_per_s))}),
            say("about {time} left", language, {"time": _time(seconds, language)}),
        ]
    return [*parts, *([status.file] if status.file else [])]


def _time(seconds: float, language: Language) -> str:
    if seconds < 90:
        return say("{seconds} s", language, {"seconds": max(1, round(seconds))})
    if seconds < 90 * 60:
        return say("{minutes} min", language, {"minutes": round(seconds / 60)})
    return say("{hours} h", language, {"hours": round(seconds / 3600)})


def size(size_bytes: int) -> str:
    """Bytes as hubs and disks count them. No line ends before the unit."""
    if size_bytes < _MB / 10:
        return f"{size_bytes / _KB:.0f}\N{NO-BREAK SPACE}kB"
    number, unit = (size_bytes / _GB, "GB") if size_bytes >= _GB else (size_bytes / _MB, "MB")
    return f"{number:.1f}\N{NO-BREAK SPACE}{unit}"
