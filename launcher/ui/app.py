"""Builds the page and serves it: one ``gr.Blocks`` with a tab for each preset, built once at the start."""

from __future__ import annotations

import html
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from launcher.errors import PresetError
from launcher.readiness import Readiness, ReadyState
from launcher.ui.chat_tab import ChatTab, build_chat_tab, examples_in
from launcher.ui.copied_text import COPIED_TEXT
from launcher.ui.headers import SafeHeaders
from launcher.ui.locales import ChineseLocales
from launcher.ui.shown_text import html_lines
from launcher.ui.status_line import error_html
from launcher.ui.texts import Language, language_of, say, say_error, translations
from launcher.ui.theme import PAGE_CSS, page_theme
from launcher.ui.watching import watch
from launcher.workers.manager import Manager

MAX_UPLOAD_BYTES = 32_000_000
"""Above the picture limit of ``launcher.images``, so that its message, in the reader's language, is the one
that is seen."""

_EVENTS_AT_ONCE = 4096
"""Open pages, each of which follows its models, and their answers; Gradio's own default of 40 would make the
41st wait. It is a
bound, not a pool: none of them holds a thread."""

_CACHE_CHECK_S, _CACHE_AGE_S = 3600, 86_400
"""Uploaded pictures are looked over every hour and deleted after a day."""

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
"""For every event: the manager schedules, not Gradio's queue."""

_LAST_WORDS_S = 1
"""How long connections that are still open may go on once the server ends."""


@dataclass(frozen=True)
class Page:
    """A built page and the texts of its components in both languages."""

    blocks: gr.Blocks
    texts: gr.I18n


def build_page(
    models: Sequence[Readiness], manager: Manager, preset_errors: Sequence[PresetError] = ()
) -> Page:
    """The page with its tabs in the given order; nothing is served yet. ``launch_page`` serves it."""
    texts = gr.I18n(**_translations(models, preset_errors))
    tabs: list[ChatTab] = []
    with gr.Blocks(
        title="launcher",
        analytics_enabled=False,
        delete_cache=(_CACHE_CHECK_S, _CACHE_AGE_S),
        fill_width=True,
    ) as blocks:
        gr.HTML(texts("head"), padding=False)
        if preset_errors:
            gr.HTML(texts("preset_errors"), padding=False)
        with gr.Tabs():
            for number, model in enumerate(models):
                tabs += _build_tab(number, model, manager, texts)
        _wire_opening(blocks, tabs, models, manager)
    blocks.queue(default_concurrency_limit=None)
    return Page(blocks, texts)


def launch_page(page: Page, host: str, port: int) -> None:
    """Serves the page from a thread of its own and returns once it answers.

    Raises:
        OSError: the port is taken.
    """
    page.blocks.launch(
        server_name=host,
        server_port=port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        inbrowser=False,
        show_error=False,
        max_threads=_EVENTS_AT_ONCE,
        max_file_size=MAX_UPLOAD_BYTES,
        allowed_paths=[],
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        i18n=page.texts,
        theme=page_theme(),
        css=PAGE_CSS,
        head=f"<script>{COPIED_TEXT}</script>",
        app_kwargs={"middleware": [Middleware(SafeHeaders), Middleware(ChineseLocales)]},
    )


def close_page(page: Page) -> None:
    """Ends the page's server within seconds, whoever is still connected."""
    if page.blocks.server is not None:
        page.blocks.server.config.timeout_graceful_shutdown = _LAST_WORDS_S
        logging.getLogger("uvicorn.error").setLevel(
            logging.CRITICAL
        )  # it reports each connection that it cuts as an error
    page.blocks.close(verbose=False)


def _build_tab(number: int, model: Readiness, manager: Manager, texts: gr.I18n) -> list[ChatTab]:
    with gr.Tab(texts(f"title_{number}"), id=model.preset.name) as tab:
        if model.state is not ReadyState.READY:
            gr.HTML(texts(f"missing_{number}"), padding=False)
            return []
        chat = build_chat_tab(model.preset, manager, texts(f"facts_{number}"), texts)

        async def wake() -> None:
            manager.wake(model.preset.name)

        tab.select(wake, None, None, queue=False, **_QUIET)
        return [replace(chat, used=(*chat.used, tab.select))]


def _wire_opening(
    blocks: gr.Blocks, tabs: Sequence[ChatTab], models: Sequence[Readiness], manager: Manager
) -> None:
    """When the page opens: the first tab's model wakes, every tab follows its own, and a Chinese reader gets
    Chinese examples.

    The tabs stop following on a page that is left alone, and go on once a person uses it.
    """
    if not tabs:
        return

    async def wake_first() -> None:
        if models[0].preset is tabs[0].preset:
            manager.wake(models[0].preset.name)

    blocks.load(wake_first, None, None, queue=False, **_QUIET)

    async def follow(request: gr.Request) -> AsyncGenerator[Any, None]:
        async with aclosing(watch(manager, language_of(request.headers.get("accept-language")))) as changes:
            async for lines in changes:
                yield {
                    tab.status: lines[tab.preset.name] for tab in tabs if tab.preset.name in lines
                } or gr.skip()

    used = [event for tab in tabs for event in tab.used]
    gr.on([blocks.load, *used], follow, None, [tab.status for tab in tabs], trigger_mode="once", **_QUIET)

    def translate_examples(request: gr.Request) -> Any:
        if language_of(request.headers.get("accept-language")) == "en":
            return gr.skip()
        return {tab.chatbot: gr.Chatbot(examples=examples_in(tab.preset, "zh")) for tab in tabs}

    blocks.load(translate_examples, None, [tab.chatbot for tab in tabs], queue=False, **_QUIET)


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
