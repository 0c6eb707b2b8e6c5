"""What only a person on this machine may do where no password is asked for: download models."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers

from launcher.commands_here import command
from launcher.errors import RequestError
from launcher.ui.guard.rates import address_of, stands_for_many
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send

FETCH = "/launcher/fetch"
"""The route that begins a download; what is below it belongs to that."""

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host")
"""What a proxy adds: who it asks for may be on any machine."""


def is_from_here(scope: Scope) -> bool:
    """Whether it comes from this machine, and no proxy has handed it on."""
    headers = Headers(scope=scope)
    return stands_for_many(address_of(scope)) and not any(name in headers for name in _FORWARDED)


class Nearness:
    """Refuses downloads to everybody but this machine. Stands only where there is no password."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_fetch = is_request(scope) and f"{scope['path']}/".startswith(f"{FETCH}/")
        if is_fetch and not is_from_here(scope):
            error = RequestError(
                "Without a password models are downloaded from this machine alone",
                "Put a password into a file, and start the launcher with: {command}",
                command=command("serve", "--auth", "me:FILE"),
            )
            await Refusal(HTTPStatus.FORBIDDEN, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)
