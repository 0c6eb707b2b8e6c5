"""One preset's tab: its components, then what happens when a person acts. What happens is in
``launcher.ui.handlers``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from launcher.errors import LauncherError, RequestError
from launcher.presets import Preset
from launcher.ui.conversation import Bubbles, Typed, media_type
from launcher.ui.handlers import ChatHandlers, Turn
from launcher.ui.page_script import call
from launcher.ui.program_question import question_input
from launcher.ui.settings import settings_inputs, to_settings
from launcher.ui.texts import Language, language_of, say_error
from launcher.workers.manager import Manager

_FORMULAS: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""No single dollars: a price is no formula."""

_NEVER_A_FILE = 1_000_000
"""Characters that may be pasted as text; Gradio would make a file of a longer text, and a file must be a
picture here."""

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
"""For every event of the page: the manager schedules, not Gradio's queue, and programs use the tab's own
endpoint."""

Translate = Callable[[str], Any]
Picture = dict[str, Any]
"""A picture in Gradio's cache, as Gradio names it."""


@dataclass(frozen=True)
class ChatTab:
    """What the page needs of a finished tab: to show how its model stands, its examples in the reader's
    language, and to say that a page was closed.

    ``pictures`` are the examples' pictures where the browser may load them, one list for each example.
    """

    preset: Preset
    chatbot: gr.Chatbot
    status: gr.HTML
    pictures: list[list[Picture]]
    leave: Callable[[str], None]


@dataclass(frozen=True)
class _Parts:
    """``asked`` is the question to answer; ``turn`` counts the questions, and when it changes the answer
    begins."""

    chatbot: gr.Chatbot
    box: gr.MultimodalTextbox
    cost: gr.HTML
    settings: list[Any]
    asked: gr.MultimodalTextbox
    example: gr.MultimodalTextbox
    turn: gr.Number


def build_chat_tab(preset: Preset, manager: Manager, facts: Any, translate: Translate) -> ChatTab:
    """Builds the tab's content in the current ``gr.Tab`` and wires it; ``facts`` says what the model runs on,
    as HTML."""
    handlers = ChatHandlers(preset, manager)
    with gr.Row(elem_classes="standing"):
        status, cost = gr.HTML(padding=False), gr.HTML(padding=False)
        unload = gr.Button(translate("unload"), size="sm", elem_classes="unload")
    chatbot = _chatbot(preset, translate)
    pictures = _cached_pictures(preset, chatbot)
    chatbot.examples = examples_in(preset, pictures, "en")
    gr.HTML(f'<div class="trouble" id="trouble-{preset.name}" role="alert"></div>', padding=False)
    box = _question_box(preset, translate)
    with gr.Accordion(translate("advanced"), open=False):
        gr.HTML(facts, padding=False)
        settings = settings_inputs(preset, translate)
    asked, example = gr.MultimodalTextbox(visible=False), gr.MultimodalTextbox(visible=False)
    parts = _Parts(chatbot, box, cost, settings, asked, example, gr.Number(0, precision=0, visible=False))
    _wire_page(parts, handlers, pictures)
    _wire_program(parts, handlers)
    unload.click(handlers.unload, None, None, queue=False, **_QUIET)
    return ChatTab(preset, chatbot, status, pictures, handlers.leave)


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


def _chatbot(preset: Preset, translate: Translate) -> gr.Chatbot:
    return gr.Chatbot(
        label=translate("chat"),
        show_label=False,
        placeholder=translate("welcome" if preset.kind == "vision" else "welcome_text"),
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


def _question_box(preset: Preset, translate: Translate) -> gr.MultimodalTextbox:
    """Takes any file: what a picture is, its content says, when it is asked about."""
    vision = preset.kind == "vision"
    return gr.MultimodalTextbox(
        show_label=False,
        placeholder=translate("question_vision" if vision else "question_text"),
        sources=["upload"] if vision else [],
        file_count="multiple",
        max_plain_text_length=_NEVER_A_FILE,
        elem_id=f"box-{preset.name}",
        elem_classes="question",
    )


def _wire_page(parts: _Parts, handlers: ChatHandlers, pictures: list[list[Picture]]) -> None:
    """What is in the browser's own hands is done by ``page.js``; the answer's event has one output, of which
    each update is a complete value."""
    chatbot, box, cost, turn = parts.chatbot, parts.box, parts.cost, parts.turn
    name = handlers.preset.name
    begun = [chatbot, box, cost, parts.asked, turn]

    async def answer(
        request: gr.Request, number: int, message: Any, bubbles: Bubbles, *settings: Any
    ) -> AsyncGenerator[Bubbles, None]:
        turn, language = Turn(_session(request), number), _language(request)
        given = to_settings(settings, handlers.preset)
        async with aclosing(handlers.ask(turn, _typed(message), bubbles, given, language)) as updates:
            async for update in updates:
                yield update

    def example(request: gr.Request, event: gr.SelectData) -> Any:
        return examples_in(handlers.preset, pictures, _language(request))[event.index]

    def stop(request: gr.Request, number: int) -> None:
        handlers.stop(Turn(_session(request), number))

    def in_browser(event: Any, function: str, inputs: list[Any], outputs: list[Any]) -> None:
        event(None, inputs, outputs, js=call(function, name), **_QUIET)

    in_browser(box.submit, "ask", [box], begun)
    in_browser(chatbot.retry, "askAgain", [chatbot], begun)
    in_browser(chatbot.undo, "undo", [chatbot, box], [chatbot, box, cost])
    in_browser(chatbot.clear, "clear", [], [cost])
    chosen = chatbot.example_select(example, None, parts.example, queue=False, **_QUIET)
    in_browser(chosen.success, "askExample", [parts.example], begun)
    answering = turn.change(
        answer, [turn, parts.asked, chatbot, *parts.settings], chatbot, trigger_mode="multiple", **_QUIET
    )
    in_browser(answering.success, "end", [chatbot, box], begun)
    in_browser(answering.failure, "end", [chatbot, box], begun)
    gr.on([box.stop, chatbot.clear], stop, turn, None, queue=False, **_QUIET)


def _wire_program(parts: _Parts, handlers: ChatHandlers) -> None:
    """The endpoint for programs: the same question and settings in, the answer's text out, no conversation
    kept."""

    async def chat(  # noqa: PLR0917 - their names are the endpoint's parameters
        message: Typed | RequestError, system_prompt: Any, max_new_tokens: Any, temperature: Any,
        top_p: Any, top_k: Any, repetition_penalty: Any, seed: Any, request: gr.Request,
    ) -> AsyncGenerator[str, None]:  # fmt: skip
        settings = (system_prompt, max_new_tokens, temperature, top_p, top_k, repetition_penalty, seed)
        try:
            if isinstance(message, RequestError):
                raise message
            given = to_settings(settings, handlers.preset)
            async with aclosing(handlers.answer(_session(request), message, given)) as texts:
                async for text in texts:
                    yield text
        except LauncherError as error:
            raise gr.Error(
                "\n".join(filter(None, say_error(error, _language(request)))), print_exception=False
            ) from error

    never_clicked = gr.Button(visible=False)
    answer = gr.Textbox(visible=False, label="answer")
    never_clicked.click(
        chat,
        [question_input(), *parts.settings],
        answer,
        api_name=handlers.preset.api_name,
        api_description=f"Ask {handlers.preset.name} one question. Streams the text so far; the last is the"
        f" whole answer.",
        concurrency_limit=None,
    )


def _typed(message: Any) -> Typed:
    value = message or {}
    return Typed(value.get("text") or "", tuple(Path(path) for path in value.get("files") or ()))


def _language(request: gr.Request) -> Language:
    return language_of(request.headers.get("accept-language"))


def _session(request: gr.Request) -> str:
    """Which page, or which program, asks."""
    return request.session_hash or ""
