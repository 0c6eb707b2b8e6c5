"""Serves a built page on sockets that listen already, from a thread of its own, until it is told to end.

Gradio's own ``launch`` opens a socket itself (and tries 127.0.0.1 whatever the address), gives up on a
machine that takes more than 5 s, and asks the page over HTTP whether it answers, through the environment's
proxies.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Mount

from launcher.door import LOCAL_DOOR, Door
from launcher.ui.app import Page
from launcher.ui.copied_text import COPIED_TEXT
from launcher.ui.gradio_import import gr
from launcher.ui.guard.hosts import allowed_hosts
from launcher.ui.guard.lean_sessions import LeanSessions
from launcher.ui.guard.outside import outside
from launcher.ui.guard.whole import guarded
from launcher.ui.headers import App
from launcher.ui.locales import CHINESE_LOCALES
from launcher.ui.named_errors import NamedErrors
from launcher.ui.page_script import HeadScripts, page_script
from launcher.ui.routes import page_routes, program_routes
from launcher.ui.server import Server, answering
from launcher.ui.theme import PAGE_CSS, page_theme
from launcher.ui.uploads import MAX_UPLOAD_BYTES, Uploads

_EVENTS_AT_ONCE = 4096
"""Open pages, each of which follows its models, and their answers; Gradio's own default of 40 would make the
41st wait. It is a bound, not a pool: none of them holds a thread."""

_QUEUE_LOOKS_S = 0.01
"""How often Gradio's queue looks whether anything waits; by itself a thousand times a second, which takes a
thirtieth of a core for nothing. Only Gradio's own clients wait there."""

Beside = Callable[[App], App]
"""Puts something else beside the page, given that: the endpoint, whose paths are its own."""


@contextmanager
def serving(
    page: Page,
    sockets: Sequence[socket.socket],
    *,
    server_name: str = "launcher",
    root_path: str = "",
    door: Door = LOCAL_DOOR,
    endpoint: Beside | None = None,
) -> Iterator[None]:
    """A page that answers on the sockets; afterwards its server has ended within seconds, whoever is still
    connected, and the sockets are closed.

    Args:
        page: what is served.
        sockets: they listen already.
        server_name: the ``Server`` header of every answer.
        root_path: the path under which a proxy shows the page and which it takes off, as ``/x``, or the whole
            address that browsers see, as ``https://host/x``; "" for none.
        door: who is let in, and under which names the page may be asked for.
        endpoint: what stands beside the page, for programs.
    """
    hosts = allowed_hosts(sockets, host=door.host, root_path=root_path, more=door.allow_hosts)

    def around(page_app: App) -> App:
        whole = page_app if endpoint is None else endpoint(page_app)
        return outside(whole, hosts=hosts, root_path=root_path)

    with answering(_PageServer(page, server_name, root_path, door, around), sockets):
        yield


class _PageServer(Server):
    """The page's app is made in the server's own loop: outside of one, Gradio makes another, which nobody
    closes."""

    def __init__(
        self, page: Page, server_name: str, root_path: str, door: Door, around: Callable[[App], App]
    ) -> None:
        self._page, self._root_path, self._door, self._around = page, root_path, door, around
        self._app: FastAPI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(self._make_app, server_name)

    def _make_app(self) -> App:
        self._app = _app(self._page, self._root_path)
        gradio_app = _mounted(self._app)
        sessions = LeanSessions(self._page.blocks)
        gradio_app.state_holder = sessions
        page = guarded(
            cast(App, self._app),
            credentials=self._door.credentials,
            uploads=gradio_app.uploaded_file_dir,
            queue=self._page.blocks._queue,
            sessions=sessions,
            asking=self._page.calls.under_way,
            left=self._page.leave,
        )
        return self._around(page)

    def end_streams(self) -> None:
        """Each open page's stream, and events that wait in the queue."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._page.pages.close)
        self._page.blocks.is_running = False
        self._page.blocks._queue.close()  # type: ignore[no-untyped-call]
        if self._app:
            _mounted(self._app).stop_event.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)


def _app(page: Page, root_path: str) -> FastAPI:
    """Everything that Gradio decides by the environment or by where it runs is said here."""
    # Gradio looks at where a request's files lie only in pages that it launched itself.
    page.blocks.has_launched = True
    page.blocks.max_threads = _EVENTS_AT_ONCE
    page.blocks._queue.max_thread_count = _EVENTS_AT_ONCE
    page.blocks._queue.sleep_when_free = _QUEUE_LOOKS_S
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes += [*page_routes(page.chats, page.pages, page.documents), *program_routes(page.calls)]
    gr.mount_gradio_app(
        app,
        page.blocks,
        path="",
        root_path=root_path,
        show_error=False,
        max_file_size=MAX_UPLOAD_BYTES,
        allowed_paths=[],
        blocked_paths=[],
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        i18n=page.texts,
        theme=page_theme(),
        css=PAGE_CSS,
        app_kwargs={
            "middleware": [
                Middleware(HeadScripts, scripts=[CHINESE_LOCALES, COPIED_TEXT, page_script()]),
                Middleware(Uploads),
                Middleware(NamedErrors),
            ]
        },
    )
    return app


def _mounted(app: FastAPI) -> gr.routes.App:
    """Gradio's part of the app."""
    [mount] = [route for route in app.routes if isinstance(route, Mount)]
    return cast(gr.routes.App, mount.app)
