"""One preset's tab: its components, then what happens when a person acts. What happens is in
``launcher.ui.handlers``."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from launcher.errors import EngineError, LauncherError, RequestError
from launcher.presets import Preset
from launcher.ui.conversation import Bubbles, Typed
from launcher.ui.handlers import ChatHandlers, PageUpdate
from launcher.ui.program_question import question_input
from launcher.ui.settings import settings_inputs, to_settings
from launcher.ui.shown_text import html_lines
from launcher.ui.texts import Language, language_of, say_error
from launcher.workers.manager import Manager

_LOG = logging.getLogger(__name__)
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

_ERROR_SHOWN_S = 30
"""Long enough to copy a command from; a model that has failed keeps its error in the status line."""

Update = dict[Any, Any]
Translate = Callable[[str], Any]


@dataclass(frozen=True)
class ChatTab:
    """What the page needs of a finished tab: to show how its model stands, and its examples in the reader's
    language.

    ``used`` are the events that tell that a person is using the tab.
    """

    preset: Preset
    chatbot: gr.Chatbot
    status: gr.HTML
    used: tuple[Any, ...]


@dataclass(frozen=True)
class _Parts:
    chatbot: gr.Chatbot
    box: gr.MultimodalTextbox
    cost: gr.HTML
    settings: list[Any]

    def update(self, update: PageUpdate) -> Update:
        """A page update as Gradio takes it: only the components that change."""
        changes: Update = {}
        if update.bubbles is not None:
            changes[self.chatbot] = update.bubbles
        if update.cost is not None:
            changes[self.cost] = update.cost
        box: dict[str, Any] = {}
        if update.typed is not None:
            box["value"] = {"text": update.typed.text, "files": [str(path) for path in update.typed.pictures]}
        if update.answering is not None:
            box |= {"submit_btn": not update.answering, "stop_btn": update.answering}
        if box:
            changes[self.box] = gr.update(**box)
        return changes


def build_chat_tab(preset: Preset, manager: Manager, facts: Any, translate: Translate) -> ChatTab:
    """Builds the tab's content in the current ``gr.Tab`` and wires it; ``facts`` says what the model runs on,
    as HTML."""
    handlers = ChatHandlers(preset, manager)
    with gr.Row(elem_classes="standing"):
        status, cost = gr.HTML(padding=False), gr.HTML(padding=False)
        unload = gr.Button(translate("unload"), size="sm", elem_classes="unload")
    chatbot = _chatbot(preset, translate)
    box = _question_box(preset, translate)
    with gr.Accordion(translate("advanced"), open=False):
        gr.HTML(facts, padding=False)
        settings = settings_inputs(preset, translate)
    parts = _Parts(chatbot, box, cost, settings)
    _wire_page(parts, handlers)
    _wire_program(parts, handlers)
    unload.click(handlers.unload, None, None, queue=False, **_QUIET)
    return ChatTab(preset, chatbot, status, (box.focus, chatbot.example_select, chatbot.retry))


def examples_in(preset: Preset, language: Language) -> list[Any]:
    """The preset's example questions as a chatbot shows them while it is empty."""
    return [
        {
            "text": example.question.zh if language == "zh" else example.question.en,
            "files": [str(path) for path in example.pictures],
        }
        for example in preset.examples
    ]


def _chatbot(preset: Preset, translate: Translate) -> gr.Chatbot:
    return gr.Chatbot(
        label=translate("chat"),
        show_label=False,
        placeholder=translate("welcome" if preset.kind == "vision" else "welcome_text"),
        examples=examples_in(preset, "en"),
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
    vision = preset.kind == "vision"
    return gr.MultimodalTextbox(
        show_label=False,
        placeholder=translate("question_vision" if vision else "question_text"),
        sources=["upload"] if vision else [],
        file_types=["image"],
        file_count="multiple",
        max_plain_text_length=_NEVER_A_FILE,
        elem_classes="question",
    )


def _wire_page(parts: _Parts, handlers: ChatHandlers) -> None:
    chatbot, box, everything = parts.chatbot, parts.box, [parts.chatbot, parts.box, parts.cost]

    async def ask(
        request: gr.Request, message: Any, bubbles: Bubbles, *settings: Any
    ) -> AsyncGenerator[Update, None]:
        language = _language(request)
        updates = handlers.ask(
            _session(request), _typed(message), bubbles, to_settings(settings, handlers.preset), language
        )
        async with aclosing(_in_page(updates, parts, language)) as changes:
            async for change in changes:
                yield change

    async def ask_example(
        request: gr.Request, event: gr.SelectData, *settings: Any
    ) -> AsyncGenerator[Update, None]:
        async with aclosing(ask(request, _example(event.value), [], *settings)) as changes:
            async for change in changes:
                yield change

    async def ask_again(
        request: gr.Request, bubbles: Bubbles, *settings: Any
    ) -> AsyncGenerator[Update, None]:
        language = _language(request)
        updates = handlers.ask_again(
            _session(request), bubbles, to_settings(settings, handlers.preset), language
        )
        async with aclosing(_in_page(updates, parts, language)) as changes:
            async for change in changes:
                yield change

    def end(bubbles: Bubbles, message: Any) -> Any:
        return parts.update(handlers.end(bubbles, _typed(message))) or gr.skip()

    def undo(bubbles: Bubbles, message: Any) -> Update:
        return parts.update(handlers.undo(bubbles, _typed(message)))

    def stop(request: gr.Request) -> None:
        handlers.stop(_session(request))

    def clear(request: gr.Request) -> None:
        handlers.clear(_session(request))

    for event in (
        # Enter during an answer is not lost: it asks once the answer is complete.
        box.submit(ask, [box, chatbot, *parts.settings], everything, trigger_mode="always_last", **_QUIET),
        chatbot.example_select(ask_example, parts.settings, everything, **_QUIET),
        chatbot.retry(ask_again, [chatbot, *parts.settings], everything, **_QUIET),
    ):
        event.success(end, [chatbot, box], everything, queue=False, **_QUIET)
        event.failure(end, [chatbot, box], everything, queue=False, **_QUIET)
    box.stop(stop, None, None, queue=False, **_QUIET)
    chatbot.clear(clear, None, None, queue=False, **_QUIET)
    chatbot.undo(undo, [chatbot, box], everything, queue=False, **_QUIET)


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
            async with aclosing(handlers.answer(message, to_settings(settings, handlers.preset))) as texts:
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


async def _in_page(
    updates: AsyncGenerator[PageUpdate, None], parts: _Parts, language: Language
) -> AsyncGenerator[Update, None]:
    """Page updates for Gradio; failures as one ``gr.Error`` in the reader's language."""
    try:
        async with aclosing(updates):
            async for update in updates:
                yield parts.update(update) or gr.skip()
    except LauncherError as error:
        raise _shown_error(error, language) from error
    except Exception as error:
        _LOG.exception("A question failed in a way that nobody foresaw")
        unknown = EngineError(
            "Something went wrong on the server.",
            hint="The terminal that runs the page says more. The question is still here; ask again.",
        )
        raise _shown_error(unknown, language) from error


def _shown_error(error: LauncherError, language: Language) -> gr.Error:
    """An error as the page's message: its text is HTML there, so what a file is named or a model says is
    escaped."""
    text = "<br>".join(html_lines(part) for part in say_error(error, language) if part)
    return gr.Error(text, duration=_ERROR_SHOWN_S, print_exception=False)


def _typed(message: Any) -> Typed:
    value = message or {}
    return Typed(value.get("text") or "", tuple(Path(path) for path in value.get("files") or ()))


def _example(value: Any) -> dict[str, Any]:
    return {"text": value.get("text"), "files": [file["path"] for file in value.get("files") or ()]}


def _language(request: gr.Request) -> Language:
    return language_of(request.headers.get("accept-language"))


def _session(request: gr.Request) -> str:
    """Which page asks; programs have none."""
    return request.session_hash or ""
