"""A request in OpenAI's form -> the request for an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from launcher.api.pictures import RequestPictures
from launcher.api.requests import (
    AnyMessage,
    ChatBody,
    ImagePart,
    SystemMessage,
    TextPart,
    UserMessage,
    picture_field,
)
from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message, Role, system_turn, well_formed
from launcher.presets import Preset
from launcher.settings import read_options, shown

_SAME_NAMES = ("temperature", "top_p", "top_k", "repetition_penalty", "seed")


def to_request(body: ChatBody, preset: Preset, pictures: RequestPictures) -> ChatRequest:
    """Stores the pictures, and checks that there is a question. What is not given is the preset's: the system
    prompt too, where no message is the system's.

    Raises:
        RequestError: there is no question, or settings that cannot be.
        PictureError: a picture is none.
    """
    begin = _first_after_system(body.messages)
    told = "\n\n".join(filter(str.strip, map(_text, body.messages[:begin])))
    turns = [
        _message(each, number, preset, pictures)
        for number, each in enumerate(body.messages)
        if number >= begin
    ]
    if not turns or turns[-1].role != "user" or not turns[-1].text.strip():
        raise RequestError(
            "The request has no question: its last message has to be the user's, with a text",
            'Add it to messages: {{"role": "user", "content": "…"}}.',
            field="messages",
        )
    system = system_turn(told if begin else preset.chat.system_prompt)
    return ChatRequest((*system, *turns), _options(body, preset.generation.options()), _stop(body))


def _first_after_system(messages: Sequence[AnyMessage]) -> int:
    """The number of the first turn. Raises RequestError for a system message that stands later."""
    is_system = [isinstance(each, SystemMessage) for each in messages]
    begin = is_system.index(False) if False in is_system else len(messages)
    if True in is_system[begin:]:
        raise RequestError(
            "{field} cannot be {value}",
            "System messages stand before all others.",
            field=f"messages.{is_system.index(True, begin)}.role",
            value="system",
        )
    return begin


def _message(message: AnyMessage, number: int, preset: Preset, pictures: RequestPictures) -> Message:
    role: Role = "user" if isinstance(message, UserMessage) else "assistant"
    paths = []
    for place, part in enumerate(message.content):
        if isinstance(part, ImagePart):
            if preset.kind == "text":
                raise RequestError(
                    "{model} reads text alone; it cannot look at pictures.",
                    hint="Take the picture out, or ask a model for pictures.",
                    model=preset.name,
                    field=f"messages.{number}.content.{place}",
                )
            paths.append(pictures.store(part.image_url.url, picture_field(number, place)))
    return Message(role, well_formed(_text(message)), tuple(paths))


def _text(message: AnyMessage) -> str:
    """Its parts are lines."""
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _options(body: ChatBody, defaults: GenerationOptions) -> GenerationOptions:
    given: dict[str, Any] = {name: getattr(body, name) for name in _SAME_NAMES}
    for name, value in given.items():
        _read({name: value}, name, defaults)
    field = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
    longest = getattr(body, field)
    if None not in (body.max_tokens, body.max_completion_tokens) and body.max_tokens != longest:
        raise RequestError(
            "max_tokens is {old}, and max_completion_tokens {new}",
            "Give one of them: they mean the same.",
            old=shown(body.max_tokens),
            new=shown(longest),
            field=field,
        )
    return _read({**given, "max_new_tokens": longest}, field, defaults)


def _read(given: dict[str, Any], field: str, defaults: GenerationOptions) -> GenerationOptions:
    """Raises RequestError under the name that the request has for it."""
    try:
        return read_options(given, defaults)
    except RequestError as error:
        error.values.update(name=field, field=field)
        raise


def _stop(body: ChatBody) -> tuple[str, ...]:
    if body.stop is None:
        return ()
    return (body.stop,) if isinstance(body.stop, str) else tuple(body.stop)
