"""``launcher serve``: the page and the endpoint, or that alone, from the sockets to the end of every process
it started.

Ctrl-C, SIGTERM, SIGQUIT and the end of its terminal end it with exit code 0; a second one changes nothing,
since every wait on the way out is bounded. Started with ``nohup``, it outlives its terminal.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
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
from launcher.cli.serve_options import leave_of, right_root_path
from launcher.cli.signals import until_told_to_stop
from launcher.devices import Devices, read_devices
from launcher.door import OPEN, door_of
from launcher.errors import PresetError
from launcher.fetching.fetches import Fetches
from launcher.presets import read_presets
from launcher.readiness import InstalledEngines, Readiness, ReadyState, assess, installed_engines
from launcher.workers.arrivals import Arrivals, arrivals_of
from launcher.workers.manager import Manager
from launcher.workers.observers import SILENT, Observer
from launcher.workers.runnable import manager_of

if TYPE_CHECKING:
    from launcher.ui.app import Page


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
        told_to_stop = stack.enter_context(until_told_to_stop())
        sockets = [stack.enter_context(each) for each in listen(address)]
        if not no_page:  # the endpoint answers nobody else without a key
            door.check(sockets)
        offer = _offer(presets or [])
        observer = _metrics() if metrics else None
        manager = stack.enter_context(manager_of(offer.models, offer.devices, observer=observer or SILENT))
        folder = stack.enter_context(run_folder())
        _preload(manager, offer.models, preload or [])

        from launcher.api.serving import endpoint_beside, serving_alone

        arrivals = arrivals_of(offer.models, manager, offer.devices, offer.installed)
        endpoint = endpoint_beside(
            arrivals.ready, manager, door, folder, metrics=observer, leave=leave, at_once=no_page
        )
        if no_page:
            alone = serving_alone(endpoint, sockets, server_name=SERVER_NAME, root_path=root_path, door=door)
            stack.enter_context(alone)
        else:
            os.environ["GRADIO_TEMP_DIR"] = str(folder)
            from launcher.ui.serving import serving  # takes seconds, while the first model loads

            fetches = _fetches(offer, manager, arrivals) if door.lets_download(sockets) else None
            if fetches:
                stack.callback(fetches.close)
            page = _page(offer, manager, fetches, is_open=door.is_open(sockets))
            stack.enter_context(
                serving(
                    page, sockets, server_name=SERVER_NAME, root_path=root_path, door=door, endpoint=endpoint
                )
            )
        render.announce(announcement(address, sockets, has_page=not no_page))
        endpoint.prepare()
        told_to_stop.get()


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is offered on this machine: models in the page's order, and files that are wrong, which are left
    out."""

    models: Sequence[Readiness]
    errors: Sequence[PresetError]
    devices: Devices
    installed: InstalledEngines


def _offer(paths: Sequence[Path]) -> _Offer:
    """Reads the presets, and tells of files that are wrong.

    Raises:
        PresetError: no file can be used.
    """
    devices, installed = read_devices(), installed_engines()
    catalog = read_presets(paths)
    if not catalog.presets:
        raise catalog.errors[0]
    for error in catalog.errors:
        typer.echo(str(error), err=True)
    assessed = [assess(preset, devices, installed) for preset in catalog.presets]
    models = ready_first(assessed) if paths else page_order(assessed)
    return _Offer(models, catalog.errors, devices, installed)


def _fetches(offer: _Offer, manager: Manager, arrivals: Arrivals) -> Fetches:
    """The downloads that the page offers."""
    return Fetches(
        offer.models,
        offer.devices,
        offer.installed,
        arrived=arrivals.came,
        changed=manager.tell_of_change,
    )


def _page(offer: _Offer, manager: Manager, fetches: Fetches | None, *, is_open: bool) -> Page:
    """The page, built; says where anyone can come in."""
    from launcher.ui.app import build_page

    page = build_page(offer.models, manager, offer.errors, is_open=is_open, fetches=fetches)
    if is_open:
        typer.echo(OPEN, err=True)
    return page


def _metrics() -> Observer:
    from launcher.api.metrics import Metrics

    return Metrics()


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
