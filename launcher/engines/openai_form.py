"""A request in OpenAI's form, by the ``openai`` package's types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartParam,
    ChatCompletionMessageParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionUserMessageParam,
)
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from launcher.messages import ChatRequest, GenerationOptions, Message

PictureUrl = Callable[[Path], str]


def with_emptied_prompt(request: ChatRequest, preset_prompt: str) -> ChatRequest:
    """The request, with an empty system message where somebody has emptied the preset's prompt: for a
    conversation without such a message servers put in a prompt of their own."""
    if not preset_prompt.strip() or request.messages[0].role == "system":
        return request
    return replace(request, messages=(Message("system", ""), *request.messages))


def to_body(model: str, request: ChatRequest, stop: tuple[str, ...], url_of: PictureUrl) -> dict[str, Any]:
    """The body of ``POST /chat/completions``. An option that changes nothing is left out: not every server
    knows it, and one that does has its own value for it.

    Args:
        model: what the server calls it.
        request: what is asked.
        stop: texts that end the answer.
        url_of: a picture's data: URL.
    """
    options = request.options
    body = CompletionCreateParamsStreaming(
        model=model,
        messages=[_message(each, url_of) for each in request.messages],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=options.max_new_tokens,
        temperature=options.temperature,
    )
    if options.top_p != 1.0:
        body["top_p"] = options.top_p
    if options.seed is not None:
        body["seed"] = options.seed
    if stop:
        body["stop"] = list(stop)
    return {**body, **_extensions(options)}


def _extensions(options: GenerationOptions) -> dict[str, Any]:
    """What OpenAI's own API lacks, by the names that LMDeploy, vLLM and the launcher have for it."""
    found: dict[str, Any] = {}
    if options.top_k:
        found["top_k"] = options.top_k
    if options.repetition_penalty != 1.0:
        found["repetition_penalty"] = options.repetition_penalty
    return found


def _message(message: Message, url_of: PictureUrl) -> ChatCompletionMessageParam:
    if message.role == "system":
        return ChatCompletionSystemMessageParam(role="system", content=message.text)
    if message.role == "assistant":
        return ChatCompletionAssistantMessageParam(role="assistant", content=message.text)
    if not message.pictures:
        return ChatCompletionUserMessageParam(role="user", content=message.text)
    parts: list[ChatCompletionContentPartParam] = [
        {"type": "image_url", "image_url": {"url": url_of(picture)}} for picture in message.pictures
    ]
    if message.text:
        parts.append({"type": "text", "text": message.text})
    return ChatCompletionUserMessageParam(role="user", content=parts)
