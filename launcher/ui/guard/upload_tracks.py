"""What Gradio keeps of each upload, to tell a page how much of it has come: it forgets only those that
somebody listened to, and keeps a mark of every name that was ever asked for."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from gradio.routes import file_upload_statuses

from launcher.ui.guard.bodies import UPLOAD
from launcher.ui.headers import App, Receive, Scope, Send

TRACKS_KEPT = 256
"""More uploads than are under way at once; the oldest go."""

_PROGRESS = "/gradio_api/upload_progress"


class UploadTracks:
    """Keeps TRACKS_KEPT of them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "http" and scope["path"] in (UPLOAD, _PROGRESS):
                for tracks in (file_upload_statuses._statuses, file_upload_statuses._signals):
                    _keep_last(tracks)


def _keep_last(tracks: MutableMapping[str, Any]) -> None:
    while len(tracks) > TRACKS_KEPT:
        del tracks[next(iter(tracks))]
