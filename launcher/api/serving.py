"""Serves the endpoint: beside the page, or alone, without Gradio."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from launcher.api.entrance import Beside, WhenAsked, entrance
from launcher.door import Door
from launcher.linked_pictures.leave import Leave
from launcher.presets import Preset
from launcher.ui.guard.hosts import allowed_hosts
from launcher.ui.guard.outside import outside
from launcher.ui.guard.routes import Routes
from launcher.ui.headers import App
from launcher.ui.server import Server, answering
from launcher.workers.manager import Manager
from launcher.workers.observers import Observer


@dataclass(frozen=True)
class Endpoint:
    """The endpoint behind its entrance; called with a page, both of them."""

    app: App
    inner: WhenAsked

    def __call__(self, page: App) -> App:
        """What serves both."""
        return Beside(self.app, page)

    def prepare(self) -> None:
        """Makes it while nobody waits for it: the first to ask finds it ready. Returns at once."""
        threading.Thread(target=self.inner.made, name="endpoint", daemon=True).start()


def endpoint_beside(
    presets: Mapping[str, Preset],
    manager: Manager,
    door: Door,
    folder: Path,
    *,
    metrics: Observer | None = None,
    leave: Leave | None = None,
    at_once: bool = False,
) -> Endpoint:
    """The endpoint, to be put beside a page.

    Args:
        presets: those that can run here, by name; others may come to it later.
        manager: runs them.
        door: who is let in.
        folder: where pictures lie while they are asked about.
        metrics: the ``Metrics`` that ``/metrics`` tells; None where it is closed.
        leave: which pictures programs may give by their address; None: none.
        at_once: make it now, not when it is prepared or first asked: that takes a second.
    """

    def make() -> App:
        from launcher.api.metrics import Metrics
        from launcher.api.routes import endpoint_app

        counts = metrics if isinstance(metrics, Metrics) else Metrics()
        return endpoint_app(presets, manager, counts.of(manager), folder, leave)

    inner = WhenAsked(make)
    if at_once:
        inner.made()
    return Endpoint(entrance(inner, door, tells_metrics=metrics is not None), inner)


@contextmanager
def serving_alone(
    endpoint: Callable[[App], App],
    sockets: Sequence[socket.socket],
    *,
    server_name: str,
    root_path: str,
    door: Door,
) -> Iterator[None]:
    """The endpoint without a page answers on the sockets; afterwards it has ended.

    Args:
        endpoint: what ``endpoint_beside`` gives.
        sockets: they listen already.
        server_name: the ``Server`` header of every answer.
        root_path: as for the page.
        door: who is let in, and under which names.
    """
    hosts = allowed_hosts(sockets, host=door.host, root_path=root_path, more=door.allow_hosts)

    def make() -> App:
        return outside(endpoint(_no_page()), hosts=hosts, root_path=root_path)

    with answering(Server(make, server_name), sockets):
        yield


def _no_page() -> App:
    """Nothing but the server's own start and end."""
    return Routes(Starlette(), (), is_page=False)
