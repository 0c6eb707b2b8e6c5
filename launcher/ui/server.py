"""An HTTP server on sockets that listen already, in a thread of its own, until it is told to end. Knows
neither Gradio nor what it serves."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread

import uvicorn

from launcher.ui.guard.patience import PatientProtocol
from launcher.ui.headers import App

_SWITCH_S = 0.0005
"""For how long one thread may keep the interpreter while another wants it. By Python's own 5 ms the thread
that hears a model would wait so long, at each word, for a loop that is busy with other people's questions."""

_LAST_WORDS_S = 1
"""How long connections that are still open may go on once the server ends."""


class Server(uvicorn.Server):
    """Says when it answers, or why it does not come to that.

    Args:
        make_app: what is served; called in the server's own loop.
        server_name: the ``Server`` header of every answer.
    """

    def __init__(self, make_app: Callable[[], App], server_name: str) -> None:
        self.answers: Future[None] = Future()
        super().__init__(
            uvicorn.Config(
                make_app,
                factory=True,
                log_level="warning",
                lifespan="on",
                http=PatientProtocol,
                ws="none",
                # A request's address is that of its connection: a header would let anyone pass for others.
                proxy_headers=False,
                timeout_graceful_shutdown=_LAST_WORDS_S,
                server_header=False,
                headers=[("Server", server_name)],
            )
        )

    def end_streams(self) -> None:
        """Ends what would otherwise be cut; called from another thread."""

    def run_until_told(self, sockets: list[socket.socket]) -> None:
        """Runs in a thread; whatever ends it before it answers is told to who waits for that."""
        try:
            self.run(sockets)
        except BaseException as error:  # noqa: BLE001 - told to who waits for the page
            if not self.answers.done():
                self.answers.set_exception(RuntimeError(f"the page's server ended: {error!r}"))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        await super().startup(sockets)
        self.answers.set_result(None)


@contextmanager
def answering(server: Server, sockets: Sequence[socket.socket]) -> Iterator[None]:
    """The server answers on the sockets; afterwards it has ended within seconds, whoever is still connected,
    and the sockets are closed."""
    for each in sockets:
        # Connections inherit it. asyncio sets it only on sockets that were made with IPPROTO_TCP named, and
        # without it the body of each answer waits until the client has acknowledged its head: 40 ms.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    thread = Thread(target=server.run_until_told, args=(list(sockets),), name="page", daemon=True)
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    thread.start()
    try:
        server.answers.result()
        yield
    finally:
        logging.getLogger("uvicorn.error").setLevel(
            logging.CRITICAL
        )  # it reports each connection that it cuts as an error
        server.end_streams()
        server.should_exit = True
        thread.join()
        sys.setswitchinterval(switch_s)
