"""``launcher serve``: the page and the endpoint, or that alone, from the sockets to the end of every process
it started.

Ctrl-C, SIGTERM, SIGQUIT and the end of its terminal end it with exit code 0; a second one changes nothing,
since every wait on the way out is bounded. Started with ``nohup``, it outlives its terminal.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli import render
from launcher.cli.listening import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    HIGHEST_PORT,
    SERVER_NAME,
    Address,
    announcement,
    listen,
)
from launcher.cli.page_order import page_order, ready_first
from launcher.cli.run_folder import run_folder
from launcher.devices import Devices, read_devices
from launcher.door import OPEN, Door, door_of, name_and_port
from launcher.errors import PresetError
from launcher.fetching.fetches import Fetches
from launcher.linked_pictures.leave import Leave
from launcher.presets import read_presets
from launcher.readiness import InstalledEngines, Readiness, ReadyState, assess, installed_engines
from launcher.workers.arrivals import arrivals_of
from launcher.workers.manager import Manager
from launcher.workers.observers import SILENT, Observer
from launcher.workers.runnable import manager_of

if TYPE_CHECKING:
    from types import FrameType

    from launcher.ui.serving import Beside

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_ROOT_PATH = re.compile(r"(https?://(?P<host>[^/\s?#]+))?(/[^\s?#]*)?")


def serve(
    presets: Annotated[
        list[Path] | None, typer.Option(help="Preset file or folder; may be given more than once.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="Port to listen on; 0: any that is free.")
    ] = DEFAULT_PORT,
    preload: Annotated[
        list[str] | None,
        typer.Option(help="Preset to load at the start, instead of the first; may be given more than once."),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            envvar="GRADIO_ROOT_PATH",
            help="Path under which a proxy shows the page, such as /vl, or the page's whole address there.",
        ),
    ] = "",
    *,
    auth: Annotated[
        str,
        typer.Option(
            metavar="USER:FILE",
            help="Name to ask visitors for, and the file that holds the password. "
            "LAUNCHER_AUTH=USER:PASSWORD in the environment does the same.",
        ),
    ] = "",
    insecure_no_auth: Annotated[
        bool,
        typer.Option("--insecure-no-auth", help="Let anyone in who can reach --host, without a password."),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name under which the page may be opened, too; may be given more than once."),
    ] = None,
    api_key: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="File that holds the key of the endpoint /v1, for programs on other machines. "
            "LAUNCHER_API_KEY=KEY in the environment does the same.",
        ),
    ] = "",
    no_page: Annotated[
        bool, typer.Option("--no-page", help="Serve the endpoint /v1 alone, without the page.")
    ] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Tell Prometheus figures under /metrics.")
    ] = False,
    allow_url: Annotated[
        bool,
        typer.Option(
            "--allow-url",
            help="Let programs give the endpoint pictures by http and https addresses outside "
            "this machine's network, and fetch them.",
        ),
    ] = False,
    allow_url_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Fetch pictures from this host, wherever it is; alone, from no other. "
            "May be given more than once.",
        ),
    ] = None,
) -> None:
    """Serve the page: a tab for each preset; beside it the endpoint /v1 for programs."""
    address, root_path = Address(host, port), right_root_path(root_path)
    leave = leave_of(allow_url_from or [], outside=allow_url)
    door = door_of(address.bare_host, allow_host or [], auth, left_open=insecure_no_auth, api_key=api_key)
    with ExitStack() as stack:
        told_to_stop = stack.enter_context(_until_told_to_stop())
        sockets = [stack.enter_context(each) for each in listen(address)]
        if not no_page:  # the endpoint answers nobody else without a key
            door.check(sockets)
        devices, installed = read_devices(), installed_engines()
        models, errors = _models(presets or [], devices, installed)
        observer = _metrics() if metrics else None
        manager = stack.enter_context(manager_of(models, devices, observer=observer or SILENT))
        folder = stack.enter_context(run_folder())
        _preload(manager, models, preload or [])

        from launcher.api.serving import endpoint_beside, serving_alone

        arrivals = arrivals_of(models, manager, devices, installed)
        endpoint = endpoint_beside(
            arrivals.ready, manager, door, folder, metrics=observer, leave=leave, at_once=no_page
        )
        if no_page:
            alone = serving_alone(endpoint, sockets, server_name=SERVER_NAME, root_path=root_path, door=door)
            stack.enter_context(alone)
        else:
            os.environ["GRADIO_TEMP_DIR"] = str(folder)
            fetches = None
            if door.lets_download(sockets):
                changed, came = manager.tell_of_change, arrivals.came
                fetches = Fetches(models, devices, installed, arrived=came, changed=changed)
                stack.callback(fetches.close)
            stack.enter_context(
                _page_beside(
                    endpoint,
                    models,
                    manager,
                    errors,
                    fetches,
                    sockets=sockets,
                    root_path=root_path,
                    door=door,
                )
            )
        render.announce(announcement(address, sockets, has_page=not no_page))
        endpoint.prepare()
        told_to_stop.get()


@contextmanager
def _page_beside(
    endpoint: Beside,
    models: Sequence[Readiness],
    manager: Manager,
    errors: Sequence[PresetError],
    fetches: Fetches | None,
    *,
    sockets: Sequence[socket.socket],
    root_path: str,
    door: Door,
) -> Iterator[None]:
    """The page is served, with the endpoint beside it."""
    from launcher.ui.app import build_page  # takes seconds, while the first model loads
    from launcher.ui.serving import serving

    is_open = door.is_open(sockets)
    page = build_page(models, manager, errors, is_open=is_open, fetches=fetches)
    if is_open:
        typer.echo(OPEN, err=True)
    with serving(page, sockets, server_name=SERVER_NAME, root_path=root_path, door=door, endpoint=endpoint):
        yield


def _metrics() -> Observer:
    from launcher.api.metrics import Metrics

    return Metrics()


def leave_of(hosts: Sequence[str], *, outside: bool) -> Leave | None:
    """What ``--allow-url`` and ``--allow-url-from`` let programs have fetched; None: nothing."""
    named = [(host, name_and_port(host)) for host in hosts]
    for host, found in named:
        if found is None:
            raise typer.BadParameter(
                f"{host!r} is no host such as pictures.example.org or 10.0.0.5:8080.",
                param_hint="--allow-url-from",
            )
    known = tuple(found for _, found in named if found is not None)
    return Leave(outside, known) if outside or known else None


def right_root_path(given: str) -> str:
    """``/x`` for ``x``, ``/x`` and ``/x/``; a whole address without a slash at its end; "" for the root."""
    path, is_address = given.strip().rstrip("/"), "://" in given
    if path and not is_address:
        path = f"/{path.lstrip('/')}"
    found = _ROOT_PATH.fullmatch(path)
    if found is None or (is_address and name_and_port(found["host"]) is None):
        raise typer.BadParameter(
            f"{given!r} is neither a path such as /vl nor an address such as https://example.org/vl.",
            param_hint="--root-path",
        )
    return path


def _models(
    paths: Sequence[Path], devices: Devices, installed: InstalledEngines
) -> tuple[list[Readiness], Sequence[PresetError]]:
    """What the page offers, in its order; files that are wrong are left out and told of.

    Raises:
        PresetError: no file can be used.
    """
    catalog = read_presets(paths)
    if not catalog.presets:
        raise catalog.errors[0]
    for error in catalog.errors:
        typer.echo(str(error), err=True)
    assessed = [assess(preset, devices, installed) for preset in catalog.presets]
    return ready_first(assessed) if paths else page_order(assessed), catalog.errors


def _preload(manager: Manager, models: Sequence[Readiness], names: Sequence[str]) -> None:
    """Begins to load the models named, or the first.

    Raises:
        RequestError: there is none of that name.
        LauncherError: why it cannot run here.
    """
    reasons = {model.preset.name: model.reason for model in models}
    for name in names:
        if (reason := reasons.get(name)) is not None:
            raise reason
        manager.wake(name)
    if not names and models[0].state is ReadyState.READY:
        manager.wake(models[0].preset.name)


@contextmanager
def _until_told_to_stop() -> Iterator[SimpleQueue[int]]:
    """A queue into which each signal that ends the page is put, from the first moment on; what the launcher
    was started to ignore (by ``nohup``: the end of the terminal) stays ignored."""
    # Not an event: its lock may be held by the very thread that the signal interrupts.
    told: SimpleQueue[int] = SimpleQueue()

    def tell(number: int, _frame: FrameType | None) -> None:
        told.put(number)

    before = {
        number: signal.signal(number, tell)
        for number in _ENDING
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
