"""Who gets to the endpoint, and where it is: its own paths, beside the page or alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from launcher.api.key import KeyCheck
from launcher.api.under_way import UnderWay
from launcher.door import Door
from launcher.ui.guard.bodies import Bodies
from launcher.ui.guard.login import Login
from launcher.ui.guard.refusals import ENDPOINT_PATH
from launcher.ui.guard.routes import ENDPOINT, Routes
from launcher.ui.headers import App, Receive, Scope, Send

MAX_BODY_BYTES = 48_000_000
"""A conversation with its pictures in base64: one of the largest, or many of the usual ones."""

METRICS = "GET /metrics"


class Beside:
    """Hands the endpoint's paths to the endpoint, all others to the page."""

    def __init__(self, endpoint: App, page: App) -> None:
        self._endpoint, self._page = endpoint, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_ours = scope["type"] == "http" and ENDPOINT_PATH.match(scope["path"])
        await (self._endpoint if is_ours else self._page)(scope, receive, send)


class WhenAsked:
    """An app that is made once, when ``made`` is called or somebody asks it, whichever is first: importing
    what it is made of takes a second."""

    def __init__(self, make: Callable[[], App]) -> None:
        self._make = make
        self._app: App | None = None
        self._making = threading.Lock()

    def made(self) -> App:
        """The app. May be called from any thread; one makes it, the others wait."""
        with self._making:
            if self._app is None:
                self._app = self._make()
            return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        app = await asyncio.to_thread(self.made) if self._app is None else self._app
        await app(scope, receive, send)


def entrance(app: App, door: Door, *, tells_metrics: bool) -> App:
    """The endpoint behind its own checks, the first to be asked last. Where there is a password for the page
    and no key, the password is asked for here, too.

    Args:
        app: the endpoint.
        door: who is let in.
        tells_metrics: whether ``/metrics`` is open.
    """
    routes = [route for route in ENDPOINT if tells_metrics or route != METRICS]
    app = UnderWay(app)
    app = Bodies(app, most_bytes=MAX_BODY_BYTES)
    app = Routes(app, routes, is_page=False)
    app = KeyCheck(app, door.api_key)
    if door.api_key is None and door.credentials is not None:
        app = Login(app, door.credentials)
    return app
