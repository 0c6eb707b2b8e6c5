"""What a program may send in OpenAI's form, checked: pydantic models of the body, and refusals that name the
field at fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, ValidationError
from pydantic_core import ErrorDetails

from launcher.api.unsupported import IGNORED, check_supported
from launcher.errors import RequestError
from launcher.messages import well_formed
from launcher.settings import quoted, shown


class _FromClient(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TextPart(_FromClient):
    """Text of a message that has parts."""

    type: Literal["text"]
    text: str


class ImageUrl(_FromClient):
    """Where a picture is: a data: URL. ``detail`` changes nothing: the preset says how pictures are cut."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(_FromClient):
    """A picture of a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


class SystemMessage(_FromClient):
    """What the model is told before the conversation."""

    role: Literal["system", "developer"]
    content: str | list[TextPart]
    name: str | None = None


class UserMessage(_FromClient):
    """A question."""

    role: Literal["user"]
    content: str | list[Annotated[TextPart | ImagePart, Discriminator("type")]]
    name: str | None = None


class AssistantMessage(_FromClient):
    """An earlier answer. What clients add to it that says nothing may be null."""

    role: Literal["assistant"]
    content: str | list[TextPart]
    name: str | None = None
    refusal: None = None
    audio: None = None
    annotations: list[Any] | None = None
    function_call: None = None
    tool_calls: None = None


AnyMessage = Annotated[SystemMessage | UserMessage | AssistantMessage, Discriminator("role")]


class StreamOptions(_FromClient):
    """What else a stream tells."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class ChatBody(_FromClient):
    """The body of ``POST /v1/chat/completions``. The numbers are checked where all settings are
    (``launcher.settings``), which says their ranges."""

    model: str
    messages: list[AnyMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    repetition_penalty: Any = None
    seed: Any = None
    stop: str | list[str] | None = None


def picture_field(message: int, part: int) -> str:
    """Where a picture's address or data: URL stands, as errors name it."""
    return f"messages.{message}.content.{part}.image_url.url"


KNOWN = tuple(ChatBody.model_fields)


def read_body(raw: bytes) -> ChatBody:
    """The request in a body.

    Raises:
        RequestError: it is none, or asks for what is not supported; ``values["field"]`` names the place.
    """
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError(
            "The request cannot be read: it is not JSON, or nested too deeply",
            "Send a JSON object with model and messages.",
        ) from error
    if not isinstance(given, dict):
        raise RequestError(
            "The request cannot be read: it is no JSON object", "Send a JSON object with model and messages."
        )
    given = {
        well_formed(name): value for name, value in given.items() if value is not None and name not in IGNORED
    }
    wanted = check_supported(given)
    try:
        return ChatBody.model_validate(wanted)
    except ValidationError as error:
        raise _refusal(error, wanted) from error


def _refusal(error: ValidationError, given: Mapping[str, Any]) -> RequestError:
    """The fault that lies deepest: where a value may have several forms, it is of the form that was meant."""
    details = error.errors(include_url=False)
    placed = [(_place(each, given), each) for each in details]
    path, worst = max(placed, key=lambda each: len(each[0]))
    return _told(".".join(map(str, path)), worst)


def _place(fault: ErrorDetails, given: Any) -> list[int | str]:
    """The keys that lead to the fault; without pydantic's names of alternatives, which stand among them."""
    path: list[Any] = []
    keys: list[Any] = list(fault["loc"])
    for number, key in enumerate(keys):
        is_key = isinstance(given, dict) and key in given
        if is_key or (isinstance(given, list) and isinstance(key, int)):
            given = given[key]
        elif number < len(keys) - 1 or fault["type"] != "missing":
            continue
        path.append(key)
    return path


def _told(field: str, fault: ErrorDetails) -> RequestError:
    allowed = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return RequestError(
                "The request has no {field}", "It is needed there, as in OpenAI's API.", field=field
            )
        case "extra_forbidden":
            return RequestError(
                "{field} is nothing that this endpoint knows",
                "Leave it out. These are read: {names}.",
                field=field,
                names=", ".join(KNOWN),
            )
        case "union_tag_not_found":
            return RequestError(
                "{field} does not say what it is",
                "Its {key} is missing.",
                field=field,
                key=str(allowed.get("discriminator", "")).strip("'"),
            )
        case "union_tag_invalid":
            key = str(allowed.get("discriminator", "")).strip("'")
            return RequestError(
                "{field} cannot be {value}",
                "It is one of {allowed}.",
                field=f"{field}.{key}",
                value=allowed.get("tag", ""),
                allowed=allowed.get("expected_tags", ""),
            )
    return _told_of_value(field, fault)


def _told_of_value(field: str, fault: ErrorDetails) -> RequestError:
    values = {"field": field, "value": shown(quoted(fault["input"]))}
    match fault["type"]:
        case "literal_error":
            allowed = fault["ctx"]["expected"]
            return RequestError(
                "{field} cannot be {value}", "It is one of {allowed}.", allowed=allowed, **values
            )
        case "string_type" | "list_type":
            return _no_text(field, values)
        case "bool_type":
            return RequestError("{field} cannot be {value}", "It is true or false.", **values)
        case "none_required":
            return RequestError(
                "{field} cannot be {value}", "Leave it out: this endpoint does not support it.", **values
            )
    return RequestError("{field} cannot be {value}", "It is an object, as in OpenAI's API.", **values)


def _no_text(field: str, values: Mapping[str, object]) -> RequestError:
    """Of a field that takes a text, or a list of something."""
    match field.rpartition(".")[2]:
        case "content":
            return RequestError("{field} cannot be {value}", "It is a text, or a list of parts.", **values)
        case "messages":
            return RequestError("{field} cannot be {value}", "It is a list of messages.", **values)
        case "stop":
            return RequestError("{field} cannot be {value}", "It is a text, or a list of texts.", **values)
    return RequestError("{field} cannot be {value}", "It is a text.", **values)
