"""Errors of the launcher -> answers in OpenAI's form."""

from __future__ import annotations

from http import HTTPStatus

from launcher.errors import (
    CheckpointError,
    DeviceError,
    LauncherError,
    MemoryPlanError,
    MissingPart,
    PictureError,
    RequestError,
    UnknownModel,
)
from launcher.ui.guard.refusals import openai_form
from launcher.ui.texts import Language, say_error_in_lines

_STATUSES: tuple[tuple[tuple[type[LauncherError], ...], HTTPStatus, str | None], ...] = (
    ((UnknownModel,), HTTPStatus.NOT_FOUND, "model_not_found"),
    ((PictureError,), HTTPStatus.BAD_REQUEST, "invalid_image"),
    ((RequestError,), HTTPStatus.BAD_REQUEST, None),
    (
        (CheckpointError, DeviceError, MemoryPlanError, MissingPart),
        HTTPStatus.SERVICE_UNAVAILABLE,
        "model_unavailable",
    ),
)
"""The first that fits; anything else is the engine's failure."""


def status_of(error: LauncherError) -> tuple[HTTPStatus, str | None]:
    """The status of the answer, and OpenAI's code."""
    for kinds, status, code in _STATUSES:
        if isinstance(error, kinds):
            return status, code
    return HTTPStatus.INTERNAL_SERVER_ERROR, None


def in_openai_form(error: LauncherError, language: Language) -> dict[str, object]:
    """The launcher's sentence, where OpenAI's clients look for it."""
    status, code = status_of(error)
    field = str(error.values.get("field", "")) or None
    return openai_form(say_error_in_lines(error, language), status, field, code)
