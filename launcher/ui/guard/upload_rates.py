"""How many uploads a minute: they are what fills the disk."""

from __future__ import annotations

import math
from http import HTTPStatus

from launcher.errors import RequestError
from launcher.ui.guard.bodies import UPLOAD
from launcher.ui.guard.rates import Rate, address_of, stands_for_many
from launcher.ui.guard.refusals import Refusal
from launcher.ui.headers import App, Receive, Scope, Send

FROM_ONE_ADDRESS = 60
FROM_LOOPBACK = 1200
"""Everyone behind a tunnel or a proxy together, and programs on this machine."""

_MINUTE_S = 60.0


class UploadRates:
    """Refuses uploads that come too often from one address."""

    def __init__(
        self, app: App, one: int = FROM_ONE_ADDRESS, loopback: int = FROM_LOOPBACK, per_s: float = _MINUTE_S
    ) -> None:
        self._app = app
        self._rates = {False: Rate(one, per_s), True: Rate(loopback, per_s)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http" and scope["path"] == UPLOAD:
            address = address_of(scope)
            rate = self._rates[stands_for_many(address)]
            if wait_s := rate.wait_s(address):
                seconds = math.ceil(wait_s)
                error = RequestError(
                    "Too many pictures were uploaded from this address in the last minute",
                    "Try again in {seconds} s.",
                    seconds=seconds,
                )
                retry = {"Retry-After": str(seconds)}
                await Refusal(HTTPStatus.TOO_MANY_REQUESTS, error, retry)(scope, receive, send)
                return
            rate.happened(address)
        await self._app(scope, receive, send)
