"""Builds the page: one ``gr.Blocks`` with a tab for each preset, built once at the start."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.door import OPEN
from launcher.errors import PresetError
from launcher.fetching.fetches import Fetches
from launcher.picture_budgets import budget_of
from launcher.readiness import Readiness, ReadyState
from launcher.ui.chat_tab import QUIET, ChatTab, build_chat_tab, examples_in
from launcher.ui.compare_tab import build_compare_tab
from launcher.ui.device_picture import devices_html
from launcher.ui.document_pictures import DocumentPictures
from launcher.ui.fetch_panel import FACTS, FETCH
from launcher.ui.gradio_import import gr
from launcher.ui.guard.file_data import UploadedFiles
from launcher.ui.handlers import ChatHandlers
from launcher.ui.model_facts import facts_html
from launcher.ui.page_script import BUILD_AHEAD, COMPARE, call, connect
from launcher.ui.places import ON_LOAD, place
from launcher.ui.routes.calls import Calls
from launcher.ui.routes.pages import Pages
from launcher.ui.shown_text import html_lines
from launcher.ui.status_line import error_html
from launcher.ui.texts import Language, language_of, say, say_error, translations
from launcher.workers.manager import Manager

_HERE = "Small vision-language models on this machine. Pictures and questions stay here."
_ELSEWHERE = (
    "Small vision-language models on this machine and on servers elsewhere. Those are sent what you ask them."
)

_CACHE_CHECK_S, _CACHE_AGE_S = 3600, 86_400
"""Uploaded pictures are looked over every hour and deleted after a day."""


@dataclass(frozen=True)
class Page:
    """A built page, the texts of its components in both languages, and what its routes need."""

    blocks: gr.Blocks
    texts: gr.I18n
    chats: Mapping[str, ChatHandlers]
    calls: Calls
    pages: Pages
    documents: DocumentPictures

    def leave(self, program: str) -> None:
        """Ends what a program that is gone, by its session, had asked for."""
        for chat in self.chats.values():
            chat.leave(program)


def build_page(
    models: Sequence[Readiness],
    manager: Manager,
    preset_errors: Sequence[PresetError] = (),
    *,
    is_open: bool = False,
    fetches: Fetches | None = None,
) -> Page:
    """The page with its tabs in the given order; nothing is served yet: ``launcher.ui.serving`` does that.

    Args:
        models: what is offered, in order.
        manager: runs them.
        preset_errors: files that are left out.
        is_open: anyone can come in, which the page says.
        fetches: the downloads that it offers; None where it offers none.
    """
    later = frozenset(fetches.names if fetches else ())
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
        gr.HTML(devices_html(), padding=False, js_on_load=ON_LOAD)
        with gr.Tabs(overflow_behavior="wrap"):  # a menu would hide some
            for number, model in enumerate(models):
                tabs += _build_tab(number, model, manager, texts, comes_later=model.preset.name in later)
            compared = _build_comparison(models, texts, later)
        _wire_opening(blocks, tabs, compared)
    blocks.queue(default_concurrency_limit=None)
    documents = DocumentPictures(gr.utils.get_upload_folder(), blocks.upload_file_set.add)
    chats = {tab.preset.name: tab.handlers for tab in tabs}
    calls = Calls({chat.preset.api_name: chat for chat in chats.values()})
    return Page(blocks, texts, chats, calls, Pages(manager, fetches=fetches), documents)


def _build_tab(
    number: int, model: Readiness, manager: Manager, texts: gr.I18n, *, comes_later: bool
) -> list[ChatTab]:
    """The chat of a model that comes later is built with the page, and shown once the model is here."""
    name = model.preset.name
    is_ready = model.state is ReadyState.READY
    with gr.Tab(texts(f"title_{number}"), id=name) as tab:
        tab.select(None, None, None, js=call("show", name if is_ready or comes_later else None), **QUIET)
        if comes_later:
            gr.HTML(place(FETCH + name, kind="fetch", role="status"), padding=False, js_on_load=ON_LOAD)
            gr.HTML(f'<div class="trouble" id="trouble-fetch-{name}" role="alert"></div>', padding=False)
            with gr.Column(elem_id=f"here-{name}", elem_classes="until-here"):
                return [build_chat_tab(_handlers(model, manager), place(FACTS + name), texts)]
        if is_ready:
            return [build_chat_tab(_handlers(model, manager), texts(f"facts_{number}"), texts)]
        gr.HTML(texts(f"missing_{number}"), padding=False)
        return []


def _handlers(model: Readiness, manager: Manager) -> ChatHandlers:
    uploads = UploadedFiles(gr.utils.get_upload_folder())
    return ChatHandlers(model.preset, manager, find=uploads.find, budget=budget_of(model))


def _build_comparison(
    models: Sequence[Readiness], texts: gr.I18n, later: frozenset[str]
) -> dict[str, gr.HTML]:
    """A tab for all models that can run here, where there is more than one, those among them that come
    ``later``: where their status lines stand, by the presets' names."""
    compared = {
        number: model.preset
        for number, model in enumerate(models)
        if model.state is ReadyState.READY or model.preset.name in later
    }
    if len(compared) < 2:
        return {}
    with gr.Tab(texts("compare"), id=COMPARE, elem_id=COMPARE) as tab:
        tab.select(None, None, None, js=call("show", None), **QUIET)
        titles = [texts(f"title_{number}") for number in compared]
        return build_compare_tab(list(compared.values()), titles, texts, later)


def _wire_opening(blocks: gr.Blocks, tabs: Sequence[ChatTab], compared: Mapping[str, gr.HTML]) -> None:
    """When the page opens: every tab follows its model, and a Chinese reader gets Chinese examples."""
    if not tabs:
        return
    news = gr.HTML(visible="hidden", js_on_load=f"{connect('', ['stand'])}; {BUILD_AHEAD}")
    statuses = [*(tab.status for tab in tabs), *compared.values()]
    names = [*(tab.preset.name for tab in tabs), *(name + COMPARE for name in compared)]
    news.stand(None, None, statuses, js=call("stand", *names), trigger_mode="multiple", **QUIET)

    def translate_examples(request: gr.Request) -> Any:
        language = language_of(request.headers.get("accept-language"))
        shown = [gr.Chatbot(examples=examples_in(tab.preset, tab.pictures, language)) for tab in tabs]
        return shown if len(shown) > 1 else shown[0]

    blocks.load(translate_examples, None, [tab.chatbot for tab in tabs], queue=False, **QUIET)


def _translations(
    models: Sequence[Readiness], preset_errors: Sequence[PresetError]
) -> dict[str, dict[str, str]]:
    english, chinese = (_own_texts(models, preset_errors, language) for language in ("en", "zh"))
    return translations(english, chinese)


def _own_texts(
    models: Sequence[Readiness], preset_errors: Sequence[PresetError], language: Language
) -> dict[str, str]:
    intro = say(_ELSEWHERE if any(model.preset.endpoint for model in models) else _HERE, language)
    texts = {
        "head": f'<div class="head"><h1>launcher</h1><p>{html.escape(intro)}</p></div>',
        "open": f'<div class="note open" role="alert">{html.escape(say(OPEN, language))}</div>',
        "preset_errors": _errors_note(preset_errors, language),
    }
    for number, model in enumerate(models):
        texts[f"title_{number}"] = model.preset.title.zh if language == "zh" else model.preset.title.en
        texts[f"facts_{number}"] = facts_html(model, language)
        texts[f"missing_{number}"] = _missing(model, language)
    return texts


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
