"""Lets the page be found below a path as well as at ``/``; pure ASGI.

A proxy that shows the page below ``/x`` takes that off, or hands it on. Gradio expects the first, once it has
been told of ``/x``; who opens the page without the proxy, or through one that hands the path on, asks for
``/x/…`` here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from launcher.ui.headers import App, Receive, Scope, Send


class WithRootPath:
    """Takes the root path off where a request has it; every other request passes through as it is."""

    def __init__(self, app: App, root_path: str) -> None:
        self._app = app
        self._path = (urlsplit(root_path).path if "://" in root_path else root_path).rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if (
            self._path
            and scope["type"] in ("http", "websocket")
            and scope["path"].startswith(f"{self._path}/")
        ):
            scope = {**scope, "path": scope["path"].removeprefix(self._path)}
        await self._app(scope, receive, send)
