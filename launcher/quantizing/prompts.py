"""Conversations as a layered model reads them: states for its first decoder layer, and which tokens count
when models are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from launcher.engine_costs import KEPT_PICTURE_BYTES
from launcher.engines.kept import Kept
from launcher.engines.transformers_prompt import Prompt, PromptMaker, Seen
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.models.layered import LayeredModel, Read
from launcher.models.loading import LoadRequest
from launcher.presets import Preset
from launcher.quantizing.material import Conversation

Step = Callable[[], None]
"""Called after each thing that is done."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation: its token ids, the answer's behind the prompt's; ``answer_at`` is where the answer
    begins, or would, and from ``scored_from`` on every token counts."""

    ids: list[int]
    read: Read
    answer_at: int
    scored_from: int
    has_picture: bool


def read_all(
    model: LayeredModel,
    request: LoadRequest,
    preset: Preset,
    conversations: Sequence[Conversation],
    step: Step,
) -> list[Sample]:
    """Reads conversations, those with pictures too.

    Raises:
        RequestError: one is longer than the model's positions reach.
        PictureError: a picture cannot be read.
    """
    maker = PromptMaker(
        request.form, request.tokenizer, model.max_tokens, model.pictures, Kept[Seen](KEPT_PICTURE_BYTES)
    )
    prompts = []
    with model.held(*model.parts.seeing):
        for conversation in conversations:
            prompts.append(_seen(model, maker.make(_request(preset, conversation))))
            step()
    with model.held(model.table_path):
        return [
            _sample(model, request, prompt, conversation)
            for prompt, conversation in zip(prompts, conversations, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A prompt's ids, where its last picture ends, and what was seen of the pictures; their pixels are let
    go."""

    ids: list[int]
    pictures_end: int
    states: list[Tensor]


def _request(preset: Preset, conversation: Conversation) -> ChatRequest:
    told = preset.chat.system_prompt
    pictures = (conversation.picture,) if conversation.picture else ()
    messages = [Message("system", told)] if told else []
    return ChatRequest(
        (*messages, Message("user", conversation.question, pictures)), GenerationOptions(max_new_tokens=1)
    )


def _seen(model: LayeredModel, prompt: Prompt) -> _Seen:
    seen = [model.see(picture.pixels) for picture in prompt.pictures if picture.pixels is not None]
    end = max((picture.span.start + picture.tokens for picture in prompt.pictures), default=1)
    return _Seen(prompt.ids, end, seen)


def _sample(model: LayeredModel, request: LoadRequest, prompt: _Seen, conversation: Conversation) -> Sample:
    answer = []
    if conversation.answer:
        text = conversation.answer + request.form.turn_end
        answer = list(request.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)
    whole, begin = prompt.ids + answer, len(prompt.ids)
    return Sample(
        whole,
        model.read(whole, prompt.states),
        begin,
        begin if answer else prompt.pictures_end,
        conversation.picture is not None,
    )
