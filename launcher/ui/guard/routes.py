"""Which routes there are: those that the page or a program needs. Gradio mounts many more; each is named here
with what it would be for, and is closed. ``docs/security.md`` shows both lists, and a test compares them with
what the installed Gradio mounts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

from starlette.routing import compile_path

from launcher.errors import RequestError
from launcher.settings import shown
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send

OPEN = {
    "GET /": "the page",
    "HEAD /": "whether the page is there",
    "GET /assets/{path:path}": "Gradio's scripts and styles",
    "GET /static/{path:path}": "Gradio's fonts and pictures",
    "GET /theme.css": "the page's colours",
    "GET /gradio_api/theme.css": "the same, under the address by which Gradio's scripts ask for it",
    "GET /favicon.ico": "the page's icon",
    "GET /robots.txt": "what search machines ask for",
    "GET /config": "the page's components, for the page and for Gradio's client",
    "GET /config/": "the same",
    "GET /gradio_api/info": "the endpoints and their parameters, for programs",
    "GET /gradio_api/info/": "the same",
    "GET /gradio_api/app_id": "whether the page was started anew meanwhile",
    "GET /gradio_api/app_id/": "the same",
    "POST /launcher/ask": "a question of the page; its answer streams",
    "POST /launcher/pages": "the pages of an uploaded document, or a video's frames, as pictures",
    "POST /launcher/seen": "a picture of a question as the model sees it",
    "POST /launcher/shown": "a conversation that the browser has kept, as HTML",
    "GET /launcher/awake": "which models answer at once",
    "POST /launcher/stop": "the page's stop button",
    "POST /launcher/show": "a tab is selected",
    "POST /launcher/unload": "the page's Unload button",
    "POST /launcher/fetch": "begins a model's download, or goes on with it",
    "POST /launcher/fetch/cancel": "ends it, for everyone",
    "GET /launcher/status": "a stream of the models' status lines, for a page that is seen",
    "POST /launcher/cover": "the page is not seen any more",
    "POST /launcher/leave": "the page is being closed",
    "GET /gradio_api/heartbeat/{session_hash}": "a stream that tells that the page is open",
    "POST /gradio_api/queue/join": "begins an event that waits its turn",
    "GET /gradio_api/queue/data": "a stream of the session's events",
    "POST /gradio_api/run/{api_name}": "an event that is answered at once: an example that is chosen",
    "POST /gradio_api/call/{api_name}": "a program's question",
    "POST /gradio_api/call/{api_name}/": "the same",
    "GET /gradio_api/call/{api_name}/{event_id}": "its answer",
    "POST /gradio_api/call/v2/{api_name}": "a program's question, its parameters by name",
    "POST /gradio_api/call/v2/{api_name}/": "the same",
    "GET /gradio_api/call/v2/{api_name}/{event_id}": "its answer",
    "POST /gradio_api/cancel": "ends an event, named by its session and its own secret id",
    "POST /gradio_api/upload": "stores a picture",
    "GET /gradio_api/upload_progress": "how much of an upload has come",
    "HEAD /gradio_api/file={path_or_url:path}": "whether an uploaded picture is there",
    "GET /gradio_api/file={path_or_url:path}": "an uploaded picture, or an example's",
}
"""Method and path -> what it is for."""

ENDPOINT = {
    "GET /v1/models": "the models, for programs that speak OpenAI's API",
    "GET /v1/models/{model}": "one of them",
    "POST /v1/chat/completions": "a program's question in OpenAI's form; its answer may stream",
    "GET /health": "whether the launcher answers, and nothing else",
    "GET /metrics": "figures for Prometheus; closed unless the launcher was told to tell them",
}
"""The same of the endpoint, which has an entrance of its own."""

CLOSED = {
    "/openapi.json": "FastAPI's description of the routes",
    "/gradio_api/openapi.json": "a second description of the endpoints",
    "/gradio_api/user": "Gradio's own login, which is not used",
    "/gradio_api/user/": "the same",
    "/gradio_api/login_check": "the same",
    "/gradio_api/login_check/": "the same",
    "/gradio_api/token": "the same",
    "/gradio_api/token/": "the same",
    "/login": "the same",
    "/login/": "the same",
    "/logout": "the same",
    "/gradio_api/dev/reload": "tells a developer's browser that the program changed",
    "/svelte/{path:path}": "parts of components that others write",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}": "the same",
    "/gradio_api/component_server": "functions of components, such as a file browser's",
    "/gradio_api/component_server/": "the same",
    "/gradio_api/deep_link": "stores a session's state for a link to it",
    "/gradio_api/runs": "the history of runs",
    "/gradio_api/runs/": "the same",
    "/gradio_api/proxy={url_path:path}": "fetches files of other Gradio pages",
    "/gradio_api/file/{path:path}": "the file route's older form",
    "/gradio_api/stream/{event_id}": "microphone, camera, played sound",
    "/gradio_api/stream/{event_id}/close": "the same",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8": "the same",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}": "the same",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file": "the same",
    "/gradio_api/process_recording": "the same",
    "/gradio_api/reset": "nothing any more",
    "/gradio_api/reset/": "the same",
    "/gradio_api/run/{api_name}/": "a second form of an open route",
    "/gradio_api/api/{api_name}": "the same",
    "/gradio_api/api/{api_name}/": "the same",
    "/gradio_api/queue/status": "how many wait",
    "/gradio_api/startup-events": "starts what the server has started already",
    "/pwa_icon": "an app to install",
    "/pwa_icon/{size}": "the same",
    "/manifest.json": "the same",
    "/monitoring": "statistics of the events",
    "/monitoring/summary": "the same",
    "/monitoring/{key}": "the same",
    "/gradio_api/vibe-edit": "lets a model rewrite the program",
    "/gradio_api/vibe-edit/": "the same",
    "/gradio_api/undo-vibe-edit": "the same",
    "/gradio_api/undo-vibe-edit/": "the same",
    "/gradio_api/vibe-code": "the same",
    "/gradio_api/vibe-code/": "the same",
    "/gradio_api/vibe-starter-queries": "the same",
    "/gradio_api/vibe-starter-queries/": "the same",
}
"""Path -> what it would be for; nobody gets there."""


class Routes:
    """Lets requests through to the open routes; anything else is not found, WebSockets included. At the
    endpoint (``is_page`` false) a wrong method is told from a wrong path, as its clients expect."""

    def __init__(self, app: App, routes: Iterable[str] = OPEN, *, is_page: bool = True) -> None:
        self._app = app
        self._is_page = is_page
        self._open: dict[str, list[re.Pattern[str]]] = {}
        for route in routes:
            method, _, path = route.partition(" ")
            self._open.setdefault(method, []).append(compile_path(path)[0])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if is_request(scope) and not self._is_open(scope):
            if not self._is_page and (allowed := self._methods(scope["path"])):
                await _not_so(scope, allowed)(scope, receive, send)
                return
            error = RequestError(
                "There is nothing here under {path}",
                "The page is at the address that its start prints; {address} lists what programs may call."
                if self._is_page
                else "GET {address} lists the models; POST /v1/chat/completions asks one.",
                path=shown(scope["path"]),
                address="/gradio_api/info" if self._is_page else "/v1/models",
            )
            await Refusal(HTTPStatus.NOT_FOUND, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        return scope.get("method", "") in self._methods(scope["path"])

    def _methods(self, path: str) -> list[str]:
        """Those that the path is open with."""
        return [
            method
            for method, patterns in self._open.items()
            if any(pattern.match(path) for pattern in patterns)
        ]


def _not_so(scope: Scope, allowed: list[str]) -> Refusal:
    """The path is right and the method is not."""
    error = RequestError(
        "{path} does not answer to {method}",
        "It takes {allowed}.",
        path=shown(scope["path"]),
        method=shown(scope.get("method", "")),
        allowed=", ".join(allowed),
    )
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, error, {"Allow": ", ".join(allowed)})
