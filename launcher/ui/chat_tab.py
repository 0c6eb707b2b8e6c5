"""One preset's tab: its components, and which function of the page's script runs when a person acts."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.errors import LauncherError, RequestError
from launcher.presets import Preset
from launcher.ui.conversation import Typed
from launcher.ui.gradio_import import gr
from launcher.ui.handlers import ChatHandlers
from launcher.ui.page_script import call, connect
from launcher.ui.places import ON_LOAD
from launcher.ui.program_question import question_input
from launcher.ui.settings import SETTING_NAMES, settings_inputs, to_settings
from launcher.ui.texts import LANGUAGES, Language, language_of, say_error_in_lines

_FORMULAS: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""No single dollars: a price is no formula."""

_NEVER_A_FILE = 1_000_000
"""Characters that may be pasted as text; Gradio would make a file of a longer text, and a file must be a
picture here."""

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
"""For every event of the page: the manager schedules, not Gradio's queue, and programs use the tab's own
endpoint."""

Translate = Callable[[str], Any]
Picture = dict[str, Any]
"""A picture in Gradio's cache, as Gradio names it."""


@dataclass(frozen=True)
class ChatTab:
    """What the page needs of a finished tab: to show how its model stands, its examples in the reader's
    language, and to answer its questions.

    ``pictures`` are the examples' pictures where the browser may load them, one list for each example.
    """

    preset: Preset
    chatbot: gr.Chatbot
    status: gr.HTML
    pictures: list[list[Picture]]
    handlers: ChatHandlers


@dataclass(frozen=True)
class _Parts:
    """``news`` is not seen: the page's script tells the tab through it what has come from the server."""

    chatbot: gr.Chatbot
    box: gr.MultimodalTextbox
    cost: gr.HTML
    settings: list[Any]
    news: gr.HTML


def build_chat_tab(handlers: ChatHandlers, facts: Any, translate: Translate) -> ChatTab:
    """Builds the tab's content in the current ``gr.Tab`` and wires it; ``facts`` says what the model runs on,
    as HTML."""
    preset = handlers.preset
    with gr.Column(elem_classes="conversation"):
        with gr.Row(elem_classes="standing"):
            status, cost = gr.HTML(padding=False), gr.HTML(padding=False)
            unload = gr.Button(translate("unload"), size="sm", elem_classes="unload")
        chatbot = chatbot_for(translate, _welcome(preset))
        pictures = _cached_pictures(preset, chatbot)
        chatbot.examples = examples_in(preset, pictures, "en")
        gr.HTML(f'<div class="trouble" id="trouble-{preset.name}" role="alert"></div>', padding=False)
        gr.HTML(note_place(preset.name), padding=False)
        box = question_box(preset.name, preset.kind, translate)
    with gr.Accordion(translate("advanced"), open=False, elem_classes="advanced"):
        gr.HTML(facts, padding=False, js_on_load=ON_LOAD)
        settings = settings_inputs(preset, translate)
    gr.HTML(f'<div class="shelf" id="shelf-{preset.name}"></div>', padding=False, apply_default_css=False)
    events = ["grown", "ended", "amended", "added", "stood"]
    news = gr.HTML(visible="hidden", js_on_load=connect(preset.name, events))
    _wire_page(_Parts(chatbot, box, cost, settings, news), preset, pictures)
    _wire_program(handlers, settings)
    unload.click(None, None, None, js=call("unload", preset.name), **QUIET)
    return ChatTab(preset, chatbot, status, pictures, handlers)


def _welcome(preset: Preset) -> str:
    """The key of what stands in an empty conversation."""
    key = "welcome" if preset.kind == "vision" else "welcome_text"
    return key if preset.examples else f"{key}_without_examples"


def examples_in(preset: Preset, pictures: list[list[Picture]], language: Language) -> list[Any]:
    """The preset's example questions as a chatbot shows them while it is empty."""
    return [
        {"text": example.question.zh if language == "zh" else example.question.en, "files": files}
        for example, files in zip(preset.examples, pictures, strict=True)
    ]


def _cached_pictures(preset: Preset, chatbot: gr.Chatbot) -> list[list[Picture]]:
    """The examples' pictures, copied to where the page is served from, for as long as it is: Gradio serves
    them from no other place."""
    pictures = []
    for example in preset.examples:
        files = [
            {**(chatbot.serve_static_file(path) or {}), "orig_name": path.name, "mime_type": media_type(path)}
            for path in example.pictures
        ]
        chatbot.keep_in_cache.update(file["path"] for file in files)
        pictures.append(files)
    return pictures


def media_type(picture: Path) -> str:
    """A picture's media type by its name, PNG where that says nothing or something else: the browser finds
    out by itself, but would show what is no picture to it as a file's name."""
    known = mimetypes.guess_type(picture.name)[0] or ""
    return known if known.startswith("image/") else "image/png"


def chatbot_for(translate: Translate, welcome: str = "") -> gr.Chatbot:
    """Where a conversation is shown; ``welcome`` is the text's key that stands there before it begins."""
    return gr.Chatbot(
        label=translate("chat"),
        show_label=False,
        placeholder=translate(welcome) if welcome else None,
        elem_classes="talk",
        height=480,
        layout="bubble",
        buttons=["copy"],
        latex_delimiters=_FORMULAS,
        sanitize_html=True,
        allow_file_downloads=False,
        group_consecutive_messages=False,
        feedback_options=None,
    )


def note_place(name: str) -> str:
    """Where a tab says what is in its box (``page/documents.js``), as HTML."""
    return f'<div class="attached" id="note-{name}" role="status"></div>'


def question_box(name: str, kind: str, translate: Translate) -> gr.MultimodalTextbox:
    """Of a tab by its name. Takes any file: what a picture is, its content says, when it is asked about."""
    vision = kind == "vision"
    return gr.MultimodalTextbox(
        show_label=False,
        placeholder=translate("question_vision" if vision else "question_text"),
        sources=["upload"] if vision else [],
        file_count="multiple",
        max_plain_text_length=_NEVER_A_FILE,
        elem_id=f"box-{name}",
        elem_classes="question",
    )


def _wire_page(parts: _Parts, preset: Preset, pictures: list[list[Picture]]) -> None:
    """What a person does is done by the page's script, which asks the server by itself: nothing that a server
    has to answer stands between a key press and the box."""
    chatbot, box, cost, settings, news = parts.chatbot, parts.box, parts.cost, parts.settings, parts.news
    standing = [chatbot, box, cost]

    examples = {language: examples_in(preset, pictures, language) for language in LANGUAGES}

    def in_browser(event: Any, function: str, inputs: list[Any], outputs: list[Any], *values: Any) -> None:
        js = call(function, preset.name, *values)
        event(None, inputs, outputs, js=js, trigger_mode="multiple", **QUIET)

    in_browser(box.submit, "ask", [box, *settings], standing)
    in_browser(box.stop, "stop", [], [])
    in_browser(box.change, "attached", [box], [])
    in_browser(chatbot.retry, "askAgain", settings, standing)
    in_browser(chatbot.undo, "undo", [box], standing)
    in_browser(chatbot.clear, "clear", [box], [box, cost])
    in_browser(news.grown, "grown", [], [chatbot])
    in_browser(news.ended, "ended", [box, *settings], standing)
    in_browser(news.added, "added", [box, *settings], standing)
    in_browser(news.amended, "amend", [box], standing)
    in_browser(news.stood, "stood", [box], [box])
    in_browser(chatbot.example_select, "askExample", settings, standing, examples)


def _wire_program(handlers: ChatHandlers, settings: list[Any]) -> None:
    """The endpoint for programs: the same question and settings in, the answer's text out, no conversation
    kept."""

    async def chat(  # noqa: PLR0917 - their names are the endpoint's parameters
        message: Typed | RequestError, system_prompt: Any, max_new_tokens: Any, temperature: Any,
        top_p: Any, top_k: Any, repetition_penalty: Any, seed: Any, request: gr.Request,
    ) -> AsyncGenerator[str, None]:  # fmt: skip
        values = (system_prompt, max_new_tokens, temperature, top_p, top_k, repetition_penalty, seed)
        try:
            if isinstance(message, RequestError):
                raise message
            given = to_settings(dict(zip(SETTING_NAMES, values, strict=True)), handlers.preset)
            async with aclosing(handlers.answer(_session(request), message, given)) as texts:
                await anext(texts)  # the engine is asked
                async for text in texts:
                    yield text
        except LauncherError as error:
            raise gr.Error(say_error_in_lines(error, _language(request)), print_exception=False) from error

    never_clicked = gr.Button(visible=False)
    answer = gr.Textbox(visible=False, label="answer")
    never_clicked.click(
        chat,
        [question_input(), *settings],
        answer,
        api_name=handlers.preset.api_name,
        api_description=f"Ask {handlers.preset.name} one question. Streams the text so far; the last is the"
        f" whole answer.",
        concurrency_limit=None,
    )


def _language(request: gr.Request) -> Language:
    return language_of(request.headers.get("accept-language"))


def _session(request: gr.Request) -> str:
    """Which program asks."""
    return request.session_hash or ""
