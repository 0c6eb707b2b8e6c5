"""Builds the page: one ``gr.Blocks`` with a tab for each preset, built once at the start."""

from __future__ import annotations

import html
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from launcher.errors import PresetError
from launcher.readiness import Readiness, ReadyState
from launcher.ui.chat_tab import ChatTab, build_chat_tab, examples_in
from launcher.ui.page_script import call
from launcher.ui.shown_text import html_lines
from launcher.ui.status_line import error_html
from launcher.ui.texts import Language, language_of, say, say_error, translations
from launcher.ui.watching import watch
from launcher.workers.manager import Manager

_CACHE_CHECK_S, _CACHE_AGE_S = 3600, 86_400
"""Uploaded pictures are looked over every hour and deleted after a day."""

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
"""For every event: the manager schedules, not Gradio's queue."""

OPEN = (
    "Anyone who can reach this address can use this page: no password is asked for. "
    "What you ask is sent unencrypted."
)

_SOON_MS, _LATER_MS = 50, 2000
"""Before a page follows its models anew: after an end, after a failure."""

_PAGES_KNOWN = 100_000
"""About 10 MB. A page that is forgotten loses nothing but that returning to its first tab wakes the model
there only where no other has to leave."""


@dataclass(frozen=True)
class Page:
    """A built page and the texts of its components in both languages."""

    blocks: gr.Blocks
    texts: gr.I18n
    leave: Callable[[str], None]
    """Ends what a page that is gone, by its session, had asked for."""


def build_page(
    models: Sequence[Readiness],
    manager: Manager,
    preset_errors: Sequence[PresetError] = (),
    *,
    is_open: bool = False,
) -> Page:
    """The page with its tabs in the given order; nothing is served yet: ``launcher.ui.serving`` does that. It
    says so where it is open to anyone."""
    texts = gr.I18n(**_translations(models, preset_errors))
    tabs: list[ChatTab] = []
    with gr.Blocks(
        title="launcher",
        analytics_enabled=False,
        delete_cache=(_CACHE_CHECK_S, _CACHE_AGE_S),
        fill_width=True,
    ) as blocks:
        gr.HTML(texts("head"), padding=False)
        if is_open:
            gr.HTML(texts("open"), padding=False)
        if preset_errors:
            gr.HTML(texts("preset_errors"), padding=False)
        opened = _Opened()
        with gr.Tabs():
            for number, model in enumerate(models):
                tabs += _build_tab(number, model, manager, texts, opened)
        _wire_opening(blocks, tabs, models, manager)
    blocks.queue(default_concurrency_limit=None)

    def leave(page: str) -> None:
        manager.leave(page)
        for tab in tabs:
            tab.leave(page)

    return Page(blocks, texts, leave)


class _Opened:
    """Which pages have shown a tab already. Gradio tells of the first one, which opening the page selects, as
    if a person had."""

    def __init__(self) -> None:
        self._pages: dict[str, None] = {}

    def is_first(self, page: str) -> bool:
        """Whether it is the page's first; it has shown one from now on. The oldest pages are forgotten."""
        first = page not in self._pages
        self._pages[page] = None
        if len(self._pages) > _PAGES_KNOWN:
            del self._pages[next(iter(self._pages))]
        return first


def _build_tab(
    number: int, model: Readiness, manager: Manager, texts: gr.I18n, opened: _Opened
) -> list[ChatTab]:
    with gr.Tab(texts(f"title_{number}"), id=model.preset.name) as tab:
        if model.state is not ReadyState.READY:
            gr.HTML(texts(f"missing_{number}"), padding=False)

            async def leave(request: gr.Request) -> None:
                opened.is_first(_page_id(request))
                manager.leave(_page_id(request))

            tab.select(leave, None, None, queue=False, **_QUIET)
            return []
        chat = build_chat_tab(model.preset, manager, texts(f"facts_{number}"), texts)

        async def wake(request: gr.Request) -> None:
            page = _page_id(request)
            opening = opened.is_first(page) and number == 0
            manager.wake(model.preset.name, page=page, only_if_free=opening)

        tab.select(wake, None, None, queue=False, **_QUIET)
        return [chat]


def _wire_opening(
    blocks: gr.Blocks, tabs: Sequence[ChatTab], models: Sequence[Readiness], manager: Manager
) -> None:
    """When the page opens: the first tab's model wakes if no other has to leave for it, every tab follows its
    own, and a Chinese reader gets Chinese examples.

    The tabs follow as long as the page is seen (``page.js``): a page that nobody sees keeps no connection.
    """
    if not tabs:
        return

    async def wake_first(request: gr.Request) -> None:
        if models[0].preset is tabs[0].preset:
            manager.wake(models[0].preset.name, page=_page_id(request), only_if_free=True)

    blocks.load(wake_first, None, None, queue=False, **_QUIET)

    statuses: list[Any] = [tab.status for tab in tabs]

    async def follow(request: gr.Request) -> AsyncGenerator[Any, None]:
        """All lines at each update, in the order of the tabs."""
        lines: dict[str, str] = {}
        async with aclosing(watch(manager, language_of(request.headers.get("accept-language")))) as changes:
            async for changed in changes:
                lines |= changed
                shown = [lines[tab.preset.name] for tab in tabs]
                yield shown if len(shown) > 1 else shown[0]

    button = gr.Button(visible="hidden", elem_id="follow")
    following = gr.on([blocks.load, button.click], follow, None, statuses, trigger_mode="once", **_QUIET)
    following.success(None, None, statuses, js=call("followed", len(tabs), _SOON_MS), **_QUIET)
    following.failure(None, None, statuses, js=call("followed", len(tabs), _LATER_MS), **_QUIET)

    def translate_examples(request: gr.Request) -> Any:
        language = language_of(request.headers.get("accept-language"))
        shown = [gr.Chatbot(examples=examples_in(tab.preset, tab.pictures, language)) for tab in tabs]
        return shown if len(shown) > 1 else shown[0]

    blocks.load(translate_examples, None, [tab.chatbot for tab in tabs], queue=False, **_QUIET)


def _page_id(request: gr.Request) -> str:
    """Which open page it is."""
    return request.session_hash or ""


def _translations(
    models: Sequence[Readiness], preset_errors: Sequence[PresetError]
) -> dict[str, dict[str, str]]:
    english, chinese = (_own_texts(models, preset_errors, language) for language in ("en", "zh"))
    return translations(english, chinese)


def _own_texts(
    models: Sequence[Readiness], preset_errors: Sequence[PresetError], language: Language
) -> dict[str, str]:
    intro = say("Small vision-language models on this machine. Pictures and questions stay here.", language)
    texts = {
        "head": f'<div class="head"><h1>launcher</h1><p>{html.escape(intro)}</p></div>',
        "open": f'<div class="note open" role="alert">{html.escape(say(OPEN, language))}</div>',
        "preset_errors": _errors_note(preset_errors, language),
    }
    for number, model in enumerate(models):
        texts[f"title_{number}"] = model.preset.title.zh if language == "zh" else model.preset.title.en
        texts[f"facts_{number}"] = _facts(model, language)
        texts[f"missing_{number}"] = _missing(model, language)
    return texts


def _facts(model: Readiness, language: Language) -> str:
    """What a model runs on."""
    parts = [
        model.preset.name,
        say("{engine} on {device}", language, {"engine": model.engine, "device": model.device}),
    ]
    parts += [say(model.note, language)] if model.note else []
    return f'<p class="facts">{html.escape(" · ".join(parts))}</p>'


def _missing(model: Readiness, language: Language) -> str:
    """Why a model cannot run here, and what to type; the command is set as code."""
    if model.reason is None:
        return ""
    heading = html.escape(say("This model cannot run here yet", language))
    sentences = [html_lines(part) for part in say_error(model.reason, language) if part]
    command = html.escape(model.command)
    if command:
        marked = [sentence.replace(command, f"<code>{command}</code>") for sentence in sentences]
        sentences = marked if marked != sentences else [*sentences, f"<code>{command}</code>"]
    return (
        f'<div class="missing"><h2>{heading}</h2>'
        + "".join(f"<p>{sentence}</p>" for sentence in sentences)
        + "</div>"
    )


def _errors_note(errors: Sequence[PresetError], language: Language) -> str:
    count = len(errors)
    heading = (
        say("One preset file is left out", language)
        if count == 1
        else say("{count} preset files are left out", language, {"count": count})
    )
    items = "".join(f"<li>{error_html(error, language)}</li>" for error in errors)
    return f'<details class="note" open><summary>{html.escape(heading)}</summary><ul>{items}</ul></details>'
