"""Refusals of these routes, as the guard's: a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from launcher.errors import LauncherError, RequestError
from launcher.settings import shown
from launcher.ui.guard.refusals import Refusal


class RefusingRoute(APIRoute):
    """A route that answers a ``LauncherError``, and a request of another form, with 400 and what is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, with refusals."""
        answer = super().get_route_handler()

        async def answer_or_refuse(request: Request) -> Response:
            try:
                return await answer(request)
            except LauncherError as error:
                return Refusal(HTTPStatus.BAD_REQUEST, error).response(request.scope)
            except RequestValidationError as error:
                return Refusal(HTTPStatus.BAD_REQUEST, _named(error)).response(request.scope)

        return answer_or_refuse


def _named(invalid: RequestValidationError) -> RequestError:
    """The first value at fault; its place is the path of keys to it."""
    first = invalid.errors()[0]
    return RequestError(
        "The request cannot be read: {place} cannot be {value}.",
        hint="Load the page anew, if it came from one: it may be of another version than the server.",
        place=".".join(str(key) for key in first["loc"]),
        value=shown(first.get("input")),
    )
