"""The question that a program sends to a tab's endpoint, as it came: Gradio would end a question of another
form in an error without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradio.components.multimodal_textbox import MultimodalData
from pydantic import ValidationError

from launcher.errors import RequestError
from launcher.settings import shown
from launcher.ui.conversation import Typed
from launcher.ui.gradio_import import gr


def question_input() -> gr.MultimodalTextbox:
    """An input that nobody sees. Its value is a ``Typed``, or a ``RequestError`` that says what is wrong; its
    files are ones that were uploaded, which Gradio checks before."""
    box = gr.MultimodalTextbox(visible=False, file_count="multiple")
    form = box.api_info()
    box.api_info = lambda: form  # type: ignore[method-assign]
    box.data_model = None  # type: ignore[assignment]  # validated by `read_question`, with the same rules
    box.preprocess = read_question  # type: ignore[assignment, method-assign]
    return box


def read_question(payload: Any) -> Typed | RequestError:
    """The question of a message in Gradio's form, or what is wrong with it."""
    if payload is None:
        return Typed()
    try:
        asked = MultimodalData.model_validate(payload, context={"validate_meta": True})
    except ValidationError:
        return RequestError(
            "{name} cannot be {value}",
            'It is an object: {{"text": "…", "files": […]}}, its files uploaded before.',
            name="message",
            value=shown(payload),
        )
    return Typed(asked.text, tuple(Path(file.path) for file in asked.files))
